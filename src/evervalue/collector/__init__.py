"""The event endpoint and its durable log: what is acknowledged is on disk, once."""
