"""Evervalue: who is worth what, how sure we are, and whom to act on next.

>>> import evervalue as ev
>>> sorted(ev.__all__)[:3]
['Gems', 'Orders', 'Scores']

Names are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evervalue.library.gems import Gems as Gems
    from evervalue.library.gems import hidden_gems as hidden_gems
    from evervalue.library.history import purchase_history as purchase_history
    from evervalue.library.orders import Orders as Orders
    from evervalue.library.orders import read_orders as read_orders
    from evervalue.library.plot import plot_top_customers as plot_top_customers
    from evervalue.library.scores import Scores as Scores
    from evervalue.library.scores import ScoresSayLittle as ScoresSayLittle
    from evervalue.library.scores import lrfm as lrfm

__version__ = "0.1.0"

_HOMES = {
    "Gems": "gems",
    "Orders": "orders",
    "Scores": "scores",
    "ScoresSayLittle": "scores",
    "hidden_gems": "gems",
    "lrfm": "scores",
    "plot_top_customers": "plot",
    "purchase_history": "history",
    "read_orders": "orders",
}

__all__ = [
    "Gems",
    "Orders",
    "Scores",
    "ScoresSayLittle",
    "hidden_gems",
    "lrfm",
    "plot_top_customers",
    "purchase_history",
    "read_orders",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'evervalue' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"evervalue.library.{home}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
