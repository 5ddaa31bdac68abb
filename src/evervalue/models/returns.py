"""What returns take off value: each customer's purchase days are worth the share of their money that was kept.

Purchase models are fitted to sales alone, for a return is no visit. But a return is money lost, and some customers
bring half of what they buy back. So what spend models are told of a customer is multiplied by the share that returns
left over all of the customer's sales so far (`kept_share`, between nothing and all): an order of 168,000 that was
cancelled on the same day is then worth nothing, and expected value is net of returns. Returns are not dated anew and
not told apart by sale: in most data few of them say which sale they take back.
"""

from __future__ import annotations

from collections.abc import Mapping

from evervalue.numerics.arrays import Array

POWERS = {
    "monetary_value": 1, "monetary": 1, "repeat_monetary": 1, "mean_monetary": 1, "least_monetary": 1,
    "monetary_squared_sum": 2,
}  # fmt: skip
"""Columns of money to the power of money that they hold."""


def after_returns(columns: Mapping[str, Array]) -> dict[str, Array]:
    """The columns with those of money multiplied by the share that returns left, squares by its square.

    Examples
    --------
    >>> import numpy as np
    >>> after_returns({"kept_share": np.array([0.5]), "monetary": np.array([8.0]), "T": np.array([3.0])})[
    ...     "monetary"
    ... ]
    array([4.])
    """
    kept = columns["kept_share"]
    return {
        name: values * kept ** POWERS[name] if name in POWERS else values for name, values in columns.items()
    }
