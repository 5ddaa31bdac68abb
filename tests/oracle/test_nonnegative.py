"""Least squares without negative coefficients: scipy's own answer, and the conditions of an optimum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from evervalue.numerics.predictive.nonnegative import nonnegative_least_squares


@given(st.integers(1, 12), st.integers(1, 60), st.integers(0, 2**31))
def test_as_good_as_scipy_and_an_optimum(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix, target = rng.normal(size=(rows, columns)), rng.normal(size=rows)
    found = nonnegative_least_squares(matrix, target)
    _, best = nnls(matrix, target)
    rest = target - matrix @ found
    assert (found >= 0).all()
    assert np.linalg.norm(rest) == pytest.approx(best, abs=1e-8)
    slope = matrix.T @ rest
    assert slope[found == 0].max(initial=0.0) < 1e-6 or np.linalg.norm(rest) < 1e-8
    assert np.abs(slope[found > 0]).max(initial=0.0) < 1e-6


def test_nothing_to_gain() -> None:
    assert (nonnegative_least_squares(np.eye(3), -np.ones(3)) == 0).all()
    assert (nonnegative_least_squares(np.zeros((2, 3)), np.ones(2)) == 0).all()
