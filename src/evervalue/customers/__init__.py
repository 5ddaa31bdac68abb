"""What each customer did and how it scores: one SQL file a table."""
