"""HTTP routes over the published snapshot: one success shape, one error shape."""
