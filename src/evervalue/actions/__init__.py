"""Whom to act on next: why each customer is in the queue, and what a contact costs the climate."""
