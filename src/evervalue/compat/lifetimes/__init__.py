"""`lifetimes`, by its own names: `from lifetimes import X` becomes `from evervalue.compat.lifetimes import X`.

The fitters, their methods, arguments and attributes, and `utils` with the functions that make summaries of
transactions, are those of lifetimes 0.11.3; the numbers come from Evervalue's models. `docs/methods/lifetimes.md` lists
what differs on purpose. The data sets and the plots of lifetimes are not here.
"""

from __future__ import annotations

from evervalue.compat.lifetimes.discrete import BetaGeoBetaBinomFitter
from evervalue.compat.lifetimes.purchases import BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter
from evervalue.compat.lifetimes.spend import GammaGammaFitter
from evervalue.compat.lifetimes.utils import (
    ConvergenceError,
    calculate_alive_path,
    calibration_and_holdout_data,
    expected_cumulative_transactions,
    summary_data_from_transaction_data,
)

__all__ = (
    "BetaGeoBetaBinomFitter",
    "BetaGeoFitter",
    "ConvergenceError",
    "GammaGammaFitter",
    "ModifiedBetaGeoFitter",
    "ParetoNBDFitter",
    "calculate_alive_path",
    "calibration_and_holdout_data",
    "expected_cumulative_transactions",
    "summary_data_from_transaction_data",
)
