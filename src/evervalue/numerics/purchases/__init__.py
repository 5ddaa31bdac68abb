"""Kernels of the purchase models in continuous time: likelihood, P(alive), expectations, counts, simulation."""
