"""Whether purchases come more regularly than at random: asked of the intervals, before a backtest tests who profits.

MBG/CNBD-k with k = 1 is MBG/NBD, so testing it where k = 1 is likeliest would test the same model twice. One fit at the
last origin tells: where k = 2 makes what was seen there likelier than k = 1 does, MBG/CNBD-k is a candidate, with the
k of each origin's own past.
"""

from __future__ import annotations

from collections.abc import Sequence

from evervalue.core.errors import FitFailed, InputError
from evervalue.models.candidate import ModelCandidate
from evervalue.models.fold import Folds
from evervalue.models.purchase_models import (
    INTERVALS,
    ModifiedBetaGeo,
    ParetoNBD,
    RegularBetaGeo,
)
from evervalue.numerics.purchases.mbg_cnbd_k import interval_log_likelihood


def with_regular_timing(
    candidates: Sequence[ModelCandidate], folds: Folds
) -> tuple[list[ModelCandidate], str]:
    """The candidates, MBG/CNBD-k among them where intervals speak for it, and what they said, in a sentence.

    Parameters
    ----------
    candidates
        With MBG/NBD; from the simpler to the less simple. The new one stands before Pareto/NBD.
    folds
        Origins; the last one is looked at.
    """
    found, last = list(candidates), folds[-1]
    (random,) = [c for c in candidates if isinstance(c.purchase, ModifiedBetaGeo)]
    try:
        by_chance = random.fitted(last).log_likelihood_
        regular = RegularBetaGeo(2).fit(last.history_with())
    except (FitFailed, InputError):
        return found, ""
    of_intervals = interval_log_likelihood(last.frequency.sum(), last.extra[INTERVALS].sum(), k=2)
    gain = regular.log_likelihood_ + float(of_intervals) - by_chance
    beside = f"before {last.origin}, k = 2 has a log-likelihood {abs(gain):,.1f}"
    if gain <= 0:
        return found, (
            f"Purchases are no more regular than at random ({beside} below that of k = 1), so MBG/CNBD-k is not tested."
        )
    place = next((n for n, c in enumerate(found) if isinstance(c.purchase, ParetoNBD)), len(found))
    found.insert(place, ModelCandidate(RegularBetaGeo("auto")))
    return found, (
        f"Purchases are more regular than at random ({beside} above that of k = 1), so MBG/CNBD-k is tested too."
    )
