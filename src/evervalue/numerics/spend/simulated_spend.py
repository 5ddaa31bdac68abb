"""What a simulation of a spend model gives."""

from __future__ import annotations

from dataclasses import dataclass

from evervalue.numerics.arrays import Array


@dataclass(frozen=True)
class SimulatedSpend:
    """Amounts drawn from a spend model, one element a customer, with what only the simulator knows."""

    x: Array
    """Purchases with an amount."""
    mean: Array
    """Mean amount of them; 0 where there is none."""
    squares: Array | None
    """Sum of the squared distances of the amounts from that mean, where the model draws amounts and not their sums."""
    true_mean: Array
    """What the customer spends a purchase in the long run."""
    future: Array
    """Sum of the amounts of the further purchases that were asked for."""
