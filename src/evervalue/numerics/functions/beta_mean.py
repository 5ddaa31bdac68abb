"""Means of functions under a beta distribution, by quadrature that holds for parameters from 1e-4 to 1e5.

The density p^(a-1) (1-p)^(b-1) has an integrable singularity or a sharp fall at either end, and the function may
change at p = 1e-12 already. So the range is cut in three. Near p = 0, where all but p^(a-1) is smooth, a product
rule integrates this factor exactly (interpolation at Legendre nodes; moments of shifted Legendre polynomials under
v^(a-1) are known); likewise near p = 1. Between them, in y = log(p / (1-p)), the integrand is analytic in a strip
about the real line, and panels of Gauss-Legendre nodes converge fast; where the density is narrow, the panels
shrink with it. Everything is divided by the same rule's integral of the density, so that no beta function is needed.
A row's mean is the same bits in any company: nothing here sums over rows or goes through a matrix product.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit

from evervalue.numerics.arrays import Array
from evervalue.numerics.functions.gauss_legendre import gauss_legendre
from evervalue.numerics.functions.product_rule import END, power_weights

_PANEL = 20  # nodes of a panel between
_LONG = 4.0  # longest panel in y
_SMALL = 0.25  # an end piece reaches until something changes by this much
_FALL = 42.0  # exp(-42) = 6e-19 of the integrand is not there
_ROWS = 32_768  # nodes x elements of one pass, that stay in cache


def beta_mean(f: Callable[..., Array], a: Array, b: Array, rate: Array, *rest: Array) -> Array:
    """Mean of f(p, 1 - p, *rest) for p ~ Beta(a, b), one a row; a, b and rate of one length n.

    Parameters
    ----------
    f
        A power series in 1 - p with positive falling coefficients, such as a truncated geometric series. Called with
        (m, nodes) arrays of p and 1 - p (both exact in relative terms) and the rows of `rest` with an axis for the
        nodes, (m, 1, ...); gives (m, nodes, ...).
    rate
        How fast f changes near p = 0: it is close to a polynomial of small degree for p < 1 / (4 rate).
    rest
        Arrays with n rows.

    Returns
    -------
    (n, ...): axes that f adds come last.
    """
    start, stop, panels, at_zero, at_one = _pieces(a, b, rate)
    wide = max(int(np.prod(array.shape[1:])) for array in rest) if rest else 1
    parts, order = [], []
    for count in np.unique(panels):
        members = np.flatnonzero(panels == count)
        rows = max(1, _ROWS // (wide * (count * _PANEL + 2 * END)))
        for first in range(0, len(members), rows):
            m = members[first : first + rows]
            column = (array[m, None] for array in (a, b, start, stop))
            p, q, weight = _rule(int(count), *column, at_zero=at_zero[m, None], at_one=at_one[m, None])
            values = f(p, q, *(array[m, None] for array in rest))
            weight /= weight.sum(axis=1, keepdims=True)
            weight = weight.reshape(*weight.shape, *(1 for _ in values.shape[2:]))
            parts.append((weight * values).sum(axis=1))
            order.append(m)
    whole = np.concatenate(parts)
    mean = np.empty_like(whole)
    mean[np.concatenate(order)] = whole
    return mean


def _pieces(
    a: Array, b: Array, rate: Array
) -> tuple[Array, Array, NDArray[np.intp], NDArray[np.bool_], NDArray[np.bool_]]:
    """Where the middle begins and ends in y, its number of panels, and whether pieces at the ends are needed."""
    low = _SMALL / np.maximum(np.maximum(b, rate), 1)
    high = _SMALL / np.maximum(a, 1)
    end_low, end_high = np.log(low) - np.log1p(-low), np.log1p(-high) - np.log(high)
    # Against f falling as 1/p, the density's left flank counts with one power of p less.
    fall_low = np.where(a > 1, -_edge(b, np.maximum(a - 1, 1e-9)), -np.inf)
    fall_high = _edge(a, b)
    start, stop = np.maximum(end_low, fall_low), np.minimum(end_high, fall_high)
    stop = np.maximum(stop, start)
    width = np.minimum(_LONG, 6 * np.sqrt((a + b) / (a * b)))
    panels = np.maximum(np.ceil((stop - start) / width), 1).astype(np.intp)
    return start, stop, panels, end_low >= fall_low, end_high <= fall_high


def _edge(a: Array, b: Array) -> Array:
    """Right of the mode, the y where p^a (1-p)^b has fallen by `_FALL` logs; at most a little beyond.

    Newton's method on a concave function comes from outside, so stopping early errs on the safe side.
    """
    mode = np.log(a) - np.log(b)
    top = a * log_expit(mode) + b * log_expit(-mode)
    y = mode + np.sqrt(2 * _FALL * (a + b) / (a * b))
    for _ in range(6):
        height = a * log_expit(y) + b * log_expit(-y) - top + _FALL
        slope = np.exp(np.log(a) + log_expit(-y)) - np.exp(np.log(b) + log_expit(y))
        y = np.maximum(y - height / np.minimum(slope, -1e-300), mode)
    return y


def _rule(
    count: int,
    a: Array,
    b: Array,
    start: Array,
    stop: Array,
    *,
    at_zero: NDArray[np.bool_],
    at_one: NDArray[np.bool_],
) -> tuple[Array, Array, Array]:
    """Nodes p, their complements, and weights, up to a factor a row."""
    node, weight = gauss_legendre(_PANEL)
    cells = ((np.arange(count)[:, None] + node) / count).reshape(-1)
    y = start + (stop - start) * cells
    mode = np.log(a) - np.log(b)
    top = a * log_expit(mode) + b * log_expit(-mode)
    log_p, log_q = log_expit(y), log_expit(-y)
    middle = np.exp(a * log_p + b * log_q - top) * np.tile(weight, count) * ((stop - start) / count)
    v = gauss_legendre(END)[0]
    low, high = np.exp(log_expit(start)), np.exp(log_expit(-stop))
    p_low, q_high = low * v, high * v
    left = np.where(at_zero, a * np.log(low) + (b - 1) * np.log1p(-p_low) - top, -np.inf)
    right = np.where(at_one, b * np.log(high) + (a - 1) * np.log1p(-q_high) - top, -np.inf)
    left, right = np.exp(left) * power_weights(a), np.exp(right) * power_weights(b)
    p = np.concatenate([p_low, np.exp(log_p), 1 - q_high], axis=1)
    q = np.concatenate([1 - p_low, np.exp(log_q), q_high], axis=1)
    return p, q, np.concatenate([left, middle, right], axis=1)
