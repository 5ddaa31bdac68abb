"""Evervalue: who is worth what, how sure we are, and whom to act on next."""

__version__ = "0.1.0"
