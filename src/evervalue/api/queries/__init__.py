"""The questions that pages, JSON and CSV ask, each in one object: bound SQL and a sentence in words.

A page and a route that show the same thing build the same object, so they cannot disagree.
"""
