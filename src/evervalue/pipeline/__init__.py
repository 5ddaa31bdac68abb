"""Composes the stages into a run: sources to published snapshot."""
