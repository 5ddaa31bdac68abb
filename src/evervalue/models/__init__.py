"""Purchase models, spend models, lifetime value, backtests and the registry of fitted models.

`evervalue` itself names what people use (`import evervalue as ev`).
"""
