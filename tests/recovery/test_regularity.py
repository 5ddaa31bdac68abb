"""The regularity of purchases is found again from simulated timings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import evervalue as ev
from evervalue.core.errors import MissingColumns


def timed(k: int, customers: int = 3_000) -> dict[str, Any]:
    """Histories with their intervals, by following each customer order by order."""
    rng = np.random.default_rng(k)
    rows = []
    for _ in range(customers):
        rate, leave, T = rng.gamma(1.0, 1 / 6.0) * k, rng.beta(1.0, 3.0), 60.0
        at, x, last, logs = 0.0, 0, 0.0, 0.0
        while rng.random() > leave:
            wait = rng.gamma(k, 1 / max(rate, 1e-12))
            if at + wait > T:
                break
            at, x, logs = at + wait, x + 1, logs + np.log(wait)
            last = at
        rows.append((x, last, T, logs))
    table = np.array(rows)
    names = ("frequency", "recency", "T", "log_interval_sum")
    return {name: table[:, i] for i, name in enumerate(names)}


@pytest.mark.parametrize("k", [1, 3])
def test_k_comes_back(k: int) -> None:
    model = ev.RegularBetaGeo(k="auto").fit(timed(k), unit="W")

    assert model.k_ == k
    (says,) = [f.says for f in model.findings_ if f.code == "regularity"]
    assert ("more regular than at random" in says and "beats" in says) == (k > 1)
    assert model.params_["a"] / (model.params_["a"] + model.params_["b"]) == pytest.approx(0.25, abs=0.03)


def test_intervals_are_needed() -> None:
    rows = {name: column for name, column in timed(1, 50).items() if name != "log_interval_sum"}
    with pytest.raises(MissingColumns, match="log_interval_sum"):
        ev.RegularBetaGeo(k="auto").fit(rows)
