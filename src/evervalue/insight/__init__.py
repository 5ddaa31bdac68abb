"""Findings over scored customers: one SQL file a table."""
