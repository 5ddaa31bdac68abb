"""Readers, the raw zone, and the mapping of found columns to canonical fields."""
