"""Change data capture: streams and files of changes, applied to keyed raw tables."""
