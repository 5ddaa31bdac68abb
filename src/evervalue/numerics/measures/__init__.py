"""How far predictions were off."""
