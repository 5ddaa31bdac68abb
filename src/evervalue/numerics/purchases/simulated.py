"""What a simulation of a purchase model gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array


@dataclass(frozen=True)
class Simulated:
    """Histories drawn from a model, one element a customer, with what only the simulator knows."""

    x: Array
    """Repeat orders up to T."""
    t_x: Array
    """Time of the last of them; 0 where there is none."""
    T: Array
    """Age."""
    future: Array
    """Orders in (T, T + horizon]."""
    alive: NDArray[np.bool_]
    """Whether the customer is still active at T."""
