"""Tables of databases into the raw zone: one consistent snapshot, by ranges of the key; unchanged ones are not read."""
