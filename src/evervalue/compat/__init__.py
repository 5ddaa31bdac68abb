"""Other libraries' names over Evervalue's models, so that code written for them ports by its import lines."""
