"""The search for a maximum: reaches it, says when it cannot, and stays in its box."""

from __future__ import annotations

import numpy as np
import pytest

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.optimise import hessian, maximise, refine

BOX = np.full(2, 12.0)


def rosenbrock(at: Array) -> tuple[float, Array]:
    x, y = at
    value = -((1 - x) ** 2) - 100 * (y - x**2) ** 2
    return float(value), np.array([2 * (1 - x) + 400 * x * (y - x**2), -200 * (y - x**2)])


def test_a_curved_ridge() -> None:
    found = maximise(rosenbrock, [np.array([-1.2, 1.0])], lower=-BOX, upper=BOX)

    assert found.converged
    assert found.log_params == pytest.approx([1, 1], abs=1e-4)
    assert found.hessian == pytest.approx(np.array([[-802.0, 400.0], [400.0, -200.0]]), rel=1e-5)


def test_the_best_of_several_starts() -> None:
    def two_hills(at: Array) -> tuple[float, Array]:
        near, far = np.exp(-np.sum((at + 2) ** 2)), 3 * np.exp(-np.sum((at - 2) ** 2))
        return float(near + far), -2 * (at + 2) * near - 2 * (at - 2) * far

    starts = [np.array([-2.5, -1.5]), np.array([1.5, 2.5])]
    assert maximise(two_hills, starts, lower=-BOX, upper=BOX).log_params == pytest.approx([2, 2], abs=1e-4)


def test_a_maximum_at_infinity_ends_on_the_box() -> None:
    def rising(at: Array) -> tuple[float, Array]:
        return float(at[0] - at[1] ** 2), np.array([1.0, -2 * at[1]])

    found = maximise(rising, [np.array([0.0, 1.0])], lower=-BOX, upper=BOX)

    assert found.converged
    assert found.at_bound == (0,)
    assert found.log_params == pytest.approx([12, 0], abs=1e-6)


def test_too_few_steps_are_not_called_a_maximum() -> None:
    found = maximise(rosenbrock, [np.array([-1.2, 1.0])], lower=-BOX, upper=BOX, max_iter=3)

    assert not found.converged


def test_a_function_without_a_value_is_no_maximum() -> None:
    found = maximise(lambda at: (float("nan"), at * np.nan), [np.zeros(2)], lower=-BOX, upper=BOX)

    assert not found.converged


def test_hessian_against_the_formula() -> None:
    def quartic(at: Array) -> tuple[float, Array]:
        return float(-np.sum(at**4)), -4 * at**3

    at = np.array([0.7, -1.3])
    assert hessian(quartic, at) == pytest.approx(np.diag(-12 * at**2), rel=1e-6)


def test_refining_with_a_curvature_that_is_nearly_right() -> None:
    def near_normal(at: Array) -> tuple[float, Array]:
        return float(-np.sum(at**2) - 0.1 * np.sum(at**4)), -2 * at - 0.4 * at**3

    rough = np.array([[-2.1, 0.05], [0.05, -1.95]])
    found = refine(near_normal, np.array([0.1, -0.05]), rough, lower=-BOX, upper=BOX)

    assert found is not None
    assert found.converged
    assert found.log_params == pytest.approx([0, 0], abs=1e-4)
    assert found.hessian == pytest.approx(-2 * np.eye(2), abs=1e-4)


@pytest.mark.parametrize("curvature", [np.eye(2), np.diag([-1000.0, -500.0])], ids=["wrong sign", "far off"])
def test_refining_gives_up_rather_than_stop_short(curvature: Array) -> None:
    assert refine(rosenbrock, np.array([-1.2, 1.0]), curvature, lower=-BOX, upper=BOX) is None


def test_a_ridge_that_runs_into_the_box() -> None:
    """Cut off at the box, the Newton step along a steep ridge would lead downhill and look like the end."""

    def ridge(at: Array) -> tuple[float, Array]:
        along, across = at[0] + at[1], at[0] - at[1]
        value = along - 500 * (across - 0.5) ** 2
        return float(value), np.array([1 - 1000 * (across - 0.5), 1 + 1000 * (across - 0.5)])

    found = maximise(ridge, [np.array([11.0, 2.0])], lower=-BOX, upper=BOX)

    assert found.converged
    assert found.at_bound == (0,)
    assert found.log_params == pytest.approx([12, 11.501], abs=1e-6)
