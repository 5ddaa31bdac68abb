"""Kernels of the models that count periods: opportunities to buy, contracts to renew."""
