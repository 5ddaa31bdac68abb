"""Kernels of the spend models and their laws of money."""
