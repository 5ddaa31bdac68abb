"""Shortest intervals: against every interval of counts there is, and against a fine scan of money."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evervalue.core.errors import SettingsError
from evervalue.numerics.arrays import Array
from evervalue.numerics.predictive.grid_law import GridLaw
from evervalue.numerics.predictive.intervals import asked_mass, shortest, shortest_counts

laws = st.lists(st.integers(0, 40), min_size=1, max_size=12).filter(lambda parts: sum(parts) > 0)
masses = st.sampled_from([0.05, 0.5, 0.8, 0.9, 0.95, 0.999])


@given(st.lists(laws, min_size=1, max_size=5), masses)
def test_no_shorter_interval_of_counts_holds_the_mass_and_none_as_short_holds_more(
    parts: list[list[int]], mass: float
) -> None:
    width = max(len(p) for p in parts)
    pmf = np.array([np.array(p + [0] * (width - len(p))) / sum(p) for p in parts])
    found = shortest_counts(pmf, mass)
    for row in range(len(pmf)):
        held = {
            (low, high): pmf[row, low : high + 1].sum() for low in range(width) for high in range(low, width)
        }
        enough = {ends: m for ends, m in held.items() if m >= mass - 1e-9}
        least = min(high - low for low, high in enough)
        best = max(m for (low, high), m in enough.items() if high - low == least)
        ends = (int(found.low[row]), int(found.high[row]))
        assert ends[1] - ends[0] == least
        assert held[ends] == pytest.approx(best, abs=1e-8)
        assert found.mass[row] == pytest.approx(held[ends], abs=1e-12)


@given(laws, masses, st.integers(1, 6))
def test_a_law_of_counts_is_judged_alone(parts: list[int], mass: float, others: int) -> None:
    pmf = np.array([parts], dtype=float) / sum(parts)
    beside = np.vstack([np.full((others, len(parts)), 1 / len(parts)), pmf])
    alone, among = shortest_counts(pmf, mass), shortest_counts(beside, mass)
    assert (alone.low[0], alone.high[0], alone.mass[0]) == (among.low[-1], among.high[-1], among.mass[-1])


def _two_sided(atom: float, left: float, centre: float, spread: float) -> tuple[GridLaw, Array, Array]:
    """Two lumps, one on each side of zero, beside an atom at zero; also as a function on fine money."""
    u = np.linspace(-5, 5, 601)
    z = np.sinh(u) * 2

    def cdf(money: Array) -> Array:
        one = 1 / (1 + np.exp(-(money + centre) / spread))
        two = 1 / (1 + np.exp(-(money - centre) / spread))
        return (1 - atom) * (left * one + (1 - left) * two)

    none, one = np.zeros(1), np.ones(1)
    law = GridLaw(u, cdf(z)[None, :], none + atom, cdf(none), (none, one * 2))
    fine = np.linspace(-60, 60, 24_001)
    return law, fine, cdf(fine) + np.where(fine >= 0, atom, 0.0)


@pytest.mark.parametrize("atom", [0.0, 0.03, 0.3, 0.7])
@pytest.mark.parametrize("left", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("centre", [0.0, 3.0, 12.0])
@pytest.mark.parametrize("mass", [0.5, 0.9])
def test_an_interval_of_money_is_as_short_as_a_scan_of_all_finds(
    atom: float, left: float, centre: float, mass: float
) -> None:
    law, fine, upto = _two_sided(atom, left, centre, 1.0)
    found = shortest(law, mass)
    below = upto - np.where(fine == 0, atom, 0.0)
    high = np.searchsorted(upto, below + mass - 1e-9)
    inside = high < len(fine)
    least = (fine[high[inside]] - fine[inside]).min()
    step = fine[1] - fine[0]
    length = found.high[0] - found.low[0]
    assert length <= least + 0.03  # and the scan itself is as good as its step
    assert length >= least - 2 * step - 0.03
    assert found.mass[0] >= mass - 1e-9
    low, end = np.searchsorted(fine, found.low[0]), np.searchsorted(fine, found.high[0], side="right") - 1
    held = upto[end] - below[low]
    assert held == pytest.approx(found.mass[0], abs=0.005)


def test_an_atom_that_holds_the_mass_alone_is_the_interval() -> None:
    law, _, _ = _two_sided(0.95, 0.5, 3.0, 1.0)
    found = shortest(law, 0.9)
    assert (found.low[0], found.high[0], found.mass[0]) == (0.0, 0.0, 0.95)


@pytest.mark.parametrize("interval", [0, 1, -0.5, 90, float("nan")])
def test_a_mass_that_no_interval_can_hold_is_refused(interval: float) -> None:
    with pytest.raises(SettingsError, match="0.999"):
        asked_mass(interval)
