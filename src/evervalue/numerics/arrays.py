"""The types that every numerical function speaks in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Number = float | Array
"""A scalar, or an array that broadcasts with the others of its call."""
Params = Sequence[Number] | Array
"""Parameters in the order of the model's NAMES, each a `Number`."""
