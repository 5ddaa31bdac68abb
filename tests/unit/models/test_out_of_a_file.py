"""A model out of a file has the draws that it was saved with: others are refused, and as many as asked are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evervalue as ev
from evervalue.core.errors import NotFitted, StorageError

RNG = np.random.default_rng(1)
SEEN = ev.BetaGeo().kernel.simulate((0.8, 30.0, 0.8, 2.5), RNG.uniform(50, 365, 300), RNG)
HISTORY = {
    "frequency": SEEN.x, "recency": SEEN.t_x, "T": SEEN.T,
    "monetary_value": np.where(SEEN.x > 0, RNG.gamma(4.0, 10.0, 300), 0.0),
}  # fmt: skip


@pytest.fixture(scope="module", params=["orders", "spend", "periods"])
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    fits: dict[str, Callable[[], Any]] = {
        "orders": lambda: ev.BetaGeo(random_state=7).fit(HISTORY),
        "spend": lambda: ev.GammaGamma(random_state=7).fit(HISTORY),
        "periods": lambda: ev.BetaGeoBetaBinomial(random_state=7).fit(
            {"frequency": [0, 1, 1, 2, 2, 3], "recency": [0, 1, 3, 2, 3, 3], "n_periods": [3] * 6},
            sample_weight=[400, 150, 60, 90, 110, 190],
        ),
    }
    model = fits[request.param]()
    return ev.load_model(model.save(tmp_path_factory.mktemp("models") / "model.json"))


def test_draws_of_another_seed_are_refused(loaded: Any) -> None:
    with pytest.raises(NotFitted, match="of the seed 7; those of random_state=3 need a new fit"):
        loaded.posterior(200, random_state=3)
    assert (loaded.posterior(200, random_state=7).draws == loaded.posterior(200).draws).all()


def test_as_many_draws_are_told_as_there_are(loaded: Any) -> None:
    assert len(loaded.posterior(200).draws) == 200
    assert loaded.posterior(200).says.startswith("The first 200 of ")
    kept = len(loaded._drawn[2])
    assert loaded.posterior(kept).says.startswith(f"{kept:,} draws")


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is a folder. Name the file in it"):
        ev.load_model(tmp_path)
