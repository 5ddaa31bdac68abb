"""The posterior of BG/NBD on CDNOW beside a Markov chain: NUTS in pymc-marketing, as docs/benchmarks.md has it."""

from __future__ import annotations

from typing import Any

import numpy as np

import evervalue as ev
from tests.support import cdnow

NUTS = {"r": (0.2446, 0.0123), "alpha": (4.493, 0.377), "a": (0.9761, 0.291), "b": (3.217, 1.24)}
"""Mean and standard deviation of 4,000 draws, priors flat on the parameters themselves."""
WORTH = 800
"""Independent draws that they are worth at least."""


def test_weighted_to_the_same_priors_it_is_the_same(cdnow_sample: Any) -> None:
    drawn = ev.BetaGeo().fit(cdnow.calibration(), unit="W").posterior(8_000)
    # Ours are flat on logs; flat on a parameter is flat on its log times the parameter.
    weight = np.prod(drawn.draws, axis=1)
    weight /= weight.sum()
    mean = weight @ drawn.draws
    sd = np.sqrt(weight @ (drawn.draws - mean) ** 2)
    for i, name in enumerate(drawn.names):
        centre, spread = NUTS[name]
        assert abs(mean[i] - centre) < 4 * spread / np.sqrt(WORTH)
        assert abs(sd[i] / spread - 1) < 0.12


def test_many_draws_are_as_exact_as_few(cdnow_sample: Any) -> None:
    """Where the exact density is costly the normal law serves only if it is near: on CDNOW it is not."""
    model = ev.BetaGeo().fit(cdnow.calibration(), unit="W")
    few, many = model.posterior(8_000), model.posterior(20_000)
    assert many.method == "laplace+psis"
    assert abs(many.mean["b"] - few.mean["b"]) < 0.06
