"""What a simulation of a contract model gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evervalue.numerics.arrays import Array


@dataclass(frozen=True)
class SimulatedContracts:
    """Contracts drawn from a model and watched for some periods, one element a customer."""

    periods: Array
    """Period at whose end the customer left, or the periods watched where the customer is still there."""
    churned: NDArray[np.bool_]
    """Whether the customer left within the periods watched."""
    lifetime: Array
    """Period at whose end the customer leaves, watched or not; infinite for who never does."""
