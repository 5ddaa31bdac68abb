"""The Python functions: orders in, scores, gems and histories out, as the same kind of frame.

`evervalue` itself names them (`import evervalue as ev`) and imports each module when its name is first used.
"""
