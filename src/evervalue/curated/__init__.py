"""Orders, lines, customers and what they cost, cleaned of what cannot be: one SQL file a table."""
