"""Fits of the CDNOW sample against what the literature prints (time in weeks, calibration to 1997-09-30).

Fader, Hardie and Lee (2005), "Counting your customers the easy way", tables 1 to 3; Fader and Hardie (2005), notes on
implementing the models; Batislam, Denizel and Filiztekin (2007) for MBG/NBD as recomputed by BTYDplus.
"""

from __future__ import annotations

import numpy as np
import pytest

import evervalue as ev
from evervalue.models.purchase import PurchaseModel
from tests.support import cdnow

PUBLISHED: list[tuple[type[PurchaseModel], tuple[float, ...], float, tuple[float, float, float]]] = [
    (ev.BetaGeo, (0.242595, 4.413602, 0.792922, 2.425907), -9582.4292, (1.44401, 25.757, 0.96885)),
    (ev.ParetoNBD, (0.553277, 10.57768, 0.606240, 11.66873), -9594.9762, (1.473434, 25.45518, 0.997874)),
    (ev.ModifiedBetaGeo, (0.524843, 6.183085, 0.891359, 1.614002), -9582.1357, (1.418885, 23.998, 0.96548)),
]
STANDARD_ERRORS = {
    ev.BetaGeo: {"r": 0.0126, "alpha": 0.378, "a": 0.186, "b": 0.705},
    ev.ParetoNBD: {"r": 0.0476, "alpha": 0.843, "s": 0.187, "beta": 6.211},
}


@pytest.mark.parametrize(
    ("model", "params", "log_likelihood", "predictions"), PUBLISHED, ids=[row[0].key for row in PUBLISHED]
)
def test_published_fit(
    model: type[PurchaseModel],
    params: tuple[float, ...],
    log_likelihood: float,
    predictions: tuple[float, float, float],
) -> None:
    history = cdnow.calibration()
    fitted = model().fit({k: history[k] for k in ("frequency", "recency", "T")}, unit="W")

    assert tuple(fitted.params_.values()) == pytest.approx(params, abs=1e-4, rel=2e-5)
    assert fitted.log_likelihood_ == pytest.approx(log_likelihood, abs=1e-3)
    for name, error in STANDARD_ERRORS.get(model, {}).items():
        assert fitted.standard_errors_[name] == pytest.approx(error, rel=6e-3)

    new, customer_1516, alive = predictions
    assert float(fitted.expected_orders("52W")) == pytest.approx(new, abs=1e-5)
    one = {"frequency": [26], "recency": [216 / 7], "T": [31.0]}
    assert fitted.conditional_expected_orders(one, "52W")[0] == pytest.approx(customer_1516, abs=1e-3)
    assert fitted.p_alive(one)[0] == pytest.approx(alive, abs=1e-5)
    assert fitted.findings_ == []


def test_the_master_file() -> None:
    """All 23,570 customers: log-likelihood and parameters as recomputed for the data set's own page."""
    path = cdnow.path().with_name("CDNOW_master.txt")
    rows = [line.split()[:2] for line in path.read_text().splitlines()[1:] if line.strip()]
    customer = np.array([row[0] for row in rows]).astype(np.int64)
    day = np.array(
        [f"{row[1][:4]}-{row[1][4:6]}-{row[1][6:]}" for row in rows], dtype="datetime64[D]"
    ).astype(np.int64)
    pairs = np.unique(np.stack([customer, day]), axis=1)
    end = np.datetime64("1997-09-30").astype(np.int64)
    kept = pairs[:, pairs[1] <= end]
    customers, first, counts = np.unique(kept[0], return_index=True, return_counts=True)
    last = kept[1][first + counts - 1]
    begin = kept[1][first]
    history = {"frequency": counts - 1, "recency": (last - begin) / 7, "T": (end - begin) / 7}

    assert len(customers) == 23_570
    fitted = ev.BetaGeo().fit(history, unit="W")
    assert fitted.log_likelihood_ == pytest.approx(-95_368.4, abs=0.06)
    assert list(fitted.params_.values()) == pytest.approx([0.252, 4.789, 0.723, 2.161], abs=6e-4)
