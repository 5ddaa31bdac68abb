"""How far a fitted model moved since the run before, in standard errors and in a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

FAR = 3.0
"""Standard errors from which a move is more than the noise of more data."""

STILL = 0.05
"""Standard errors up to which nothing has moved."""


@dataclass(frozen=True)
class Drift:
    """A fitted model beside the one before it."""

    largest: float | None
    """Largest change of a parameter in standard errors of its estimate now, on the scale on which it is estimated; None
    where the models are not of one kind, or nothing is known of their spread."""
    says: str


def drift(now: Any, before: Any) -> Drift:
    """What became of the parameters.

    Parameters
    ----------
    now, before
        Fitted estimators.

    Notes
    -----
    Both fits share most of their customers, so that a parameter of a company whose customers go on as they did moves
    by well under one standard error from run to run. More than `FAR` is told as a change of behaviour, or of the data.
    """
    if type(now) is not type(before) or list(now.params_) != list(before.params_):
        return Drift(None, f"The model changed from {before.name} to {now.name}.")
    if getattr(now, "unit_", None) != getattr(before, "unit_", None):
        return Drift(None, "The unit of time changed, so that parameters cannot be compared.")
    logs = getattr(now.kernel, "log_names", now.kernel.names)
    moves = {}
    for i, name in enumerate(now.params_):
        spread = math.sqrt(now.covariance_[i, i]) if now.covariance_[i, i] >= 0 else math.inf
        if not (math.isfinite(spread) and spread > 0):
            continue
        new, old = now.params_[name], before.params_[name]
        moves[name] = abs(math.log(new / old) if name in logs else new - old) / spread
    if not moves:
        return Drift(None, f"{now.name}: the data do not tell its parameters, so that no move can be judged.")
    name = max(moves, key=lambda n: moves[n])
    far = moves[name]
    moved = (
        f"{now.name}: {name} moved most, from {before.params_[name]:.4g} to {now.params_[name]:.4g}, "
        f"{far:.1f} standard errors"
    )
    if far > FAR:
        return Drift(far, f"{moved}: customers behave differently from before, or the data have changed.")
    return Drift(
        far,
        f"{moved}, which is within the noise of the data." if far > STILL else f"{now.name} did not move.",
    )
