"""What `ev.connect` stands on: connections, errors, values and rows of a server's answers. Standard library alone."""
