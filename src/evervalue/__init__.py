"""Evervalue: who is worth what, how sure we are, and whom to act on next.

>>> import evervalue as ev
>>> sorted(ev.__all__)[:3]
['BetaDiscreteWeibull', 'BetaGeo', 'BetaGeoBetaBinomial']

Names are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evervalue.library.backtest import backtest as backtest
    from evervalue.library.client import connect as connect
    from evervalue.library.gems import Gems as Gems
    from evervalue.library.gems import hidden_gems as hidden_gems
    from evervalue.library.history import purchase_history as purchase_history
    from evervalue.library.orders import Orders as Orders
    from evervalue.library.orders import read_orders as read_orders
    from evervalue.library.plot import plot_top_customers as plot_top_customers
    from evervalue.library.scores import Scores as Scores
    from evervalue.library.scores import ScoresSayLittle as ScoresSayLittle
    from evervalue.library.scores import lrfm as lrfm
    from evervalue.models.clv import CLV as CLV
    from evervalue.models.contract import BetaDiscreteWeibull as BetaDiscreteWeibull
    from evervalue.models.contract import ShiftedBetaGeo as ShiftedBetaGeo
    from evervalue.models.discrete import BetaGeoBetaBinomial as BetaGeoBetaBinomial
    from evervalue.models.purchase_models import BetaGeo as BetaGeo
    from evervalue.models.purchase_models import ModifiedBetaGeo as ModifiedBetaGeo
    from evervalue.models.purchase_models import ParetoNBD as ParetoNBD
    from evervalue.models.purchase_models import RegularBetaGeo as RegularBetaGeo
    from evervalue.models.recalibration import Recalibration as Recalibration
    from evervalue.models.registry import load_model as load_model
    from evervalue.models.spend import GammaGamma as GammaGamma
    from evervalue.models.spend import NormalSpend as NormalSpend

__version__ = "0.1.0"

_HOMES = {
    "BetaDiscreteWeibull": "models.contract",
    "BetaGeo": "models.purchase_models",
    "BetaGeoBetaBinomial": "models.discrete",
    "CLV": "models.clv",
    "GammaGamma": "models.spend",
    "Gems": "library.gems",
    "ModifiedBetaGeo": "models.purchase_models",
    "NormalSpend": "models.spend",
    "Orders": "library.orders",
    "ParetoNBD": "models.purchase_models",
    "Recalibration": "models.recalibration",
    "RegularBetaGeo": "models.purchase_models",
    "Scores": "library.scores",
    "ScoresSayLittle": "library.scores",
    "ShiftedBetaGeo": "models.contract",
    "backtest": "library.backtest",
    "connect": "library.client",
    "hidden_gems": "library.gems",
    "load_model": "models.registry",
    "lrfm": "library.scores",
    "plot_top_customers": "library.plot",
    "purchase_history": "library.history",
    "read_orders": "library.orders",
}

__all__ = [
    "CLV",
    "BetaDiscreteWeibull",
    "BetaGeo",
    "BetaGeoBetaBinomial",
    "GammaGamma",
    "Gems",
    "ModifiedBetaGeo",
    "NormalSpend",
    "Orders",
    "ParetoNBD",
    "Recalibration",
    "RegularBetaGeo",
    "Scores",
    "ScoresSayLittle",
    "ShiftedBetaGeo",
    "backtest",
    "connect",
    "hidden_gems",
    "load_model",
    "lrfm",
    "plot_top_customers",
    "purchase_history",
    "read_orders",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'evervalue' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"evervalue.{home}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
