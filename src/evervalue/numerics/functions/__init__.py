"""Integrals, log-gamma differences and tables that kernels share."""
