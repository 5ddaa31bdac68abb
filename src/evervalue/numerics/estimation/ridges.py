"""Ridges of a density that a law around its mode does not reach: followed on foot, and covered by laws of their own.

Customers who are all alike are the limit of infinitely many parameters: along log shape = log scale + constant the
likelihood of a purchase model soon stops falling. Such a ridge leaves the mode in another direction than the
curvature there shows, and no importance weight tells of what no proposal reaches. So each wide axis is followed
outward, the other directions being maximised at every step, and where the density lies well above the law's own a
part is added there: the iterated Laplace approximation of Bornkamp (2011), along profiles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.proposals import Law, LogDensity, Mixture, SplitT, t_law

WIDE = 0.15
"""Scale in logs from which an axis is followed: below it a density of log parameters is as good as normal."""
DEEP = 9.0
"""How far in logs the density must have fallen for a ridge to be left alone."""
_FIRST_STEP, _GROWTH, _MOST_STEPS = 1.5, 1.3, 12
_UNCOVERED = np.log(5.0)
_DOF = 4.0
_APART = 0.3


@dataclass(frozen=True)
class _Node:
    at: Array
    value: float
    across: Array
    """(k, k), covariance of all directions but the ridge's own."""


def with_ridges(log_density: LogDensity, law: SplitT) -> Law:
    """The law itself, or its mixture with parts along the ridges that it leaves uncovered.

    Parameters
    ----------
    log_density
        Of points (n, k).
    law
        Around the mode, with the axes to follow.
    """
    top = float(log_density(law.centre[None, :])[0])
    ratio = top - float(law.log_density(law.centre[None, :])[0])
    parts, masses = [], []
    for axis in range(law.centre.size):
        for side in (-1.0, 1.0):
            if max(law.below[axis], law.above[axis]) < WIDE or law.centre.size == 1:
                continue
            nodes = _followed(log_density, law, axis, side, top)
            for i, node in enumerate(nodes[1:], start=1):
                if node.value - float(law.log_density(node.at[None, :])[0]) - ratio > _UNCOVERED:
                    ahead = nodes[min(i + 1, len(nodes) - 1)].at
                    behind = nodes[i - 1].at
                    step = (ahead - behind) / (2 if i + 1 < len(nodes) else 1)
                    part = t_law(node.at, 1.2 * node.across + 0.5 * np.outer(step, step), _DOF)
                    parts.append(part)
                    masses.append(node.value - top + float(np.sum(np.log(part.above))))
    if not parts:
        return law
    mass = np.exp(np.array(masses) - float(np.sum(np.log(law.below + law.above) - np.log(2))))
    # Half as the masses say, half alike, since the masses are rough and a part too many costs little.
    shares = np.minimum(mass, 1.0) + 0.3 / len(parts)
    shares = np.concatenate([[1.0], shares]) / (1 + shares.sum())
    return Mixture([law, *parts], shares)


def _followed(log_density: LogDensity, law: SplitT, axis: int, side: float, top: float) -> list[_Node]:
    """Nodes outward from the mode along one axis, the mode first, until the density is `DEEP` below it."""
    scales = (law.below + law.above) / 2
    basis = law.axes * scales
    along = basis[:, axis] / scales[axis] * (law.above if side > 0 else law.below)[axis]
    others = np.delete(basis, axis, axis=1)
    nodes = [_Node(law.centre, top, others @ others.T)]
    step, direction = _FIRST_STEP, side * along
    for _ in range(_MOST_STEPS):
        node = _summit(log_density, nodes[-1].at + step * direction, others)
        if not top - node.value < DEEP:
            break
        nodes.append(node)
        # Straight on from the last two nodes, as fast along the axis as before.
        moved = nodes[-1].at - nodes[-2].at
        advance = float(moved @ along) / float(along @ along) * side
        direction = moved / advance
        step *= _GROWTH
    return nodes


def _summit(log_density: LogDensity, at: Array, others: Array) -> _Node:
    """The highest point reached from `at` within the span of `others`, by a few damped Newton steps."""
    m = others.shape[1]
    value, gradient, hessian = _parabola(log_density, at, others)
    for _ in range(4):
        precision, vectors = np.linalg.eigh(-hessian)
        step = vectors @ ((vectors.T @ gradient) / np.maximum(np.abs(precision), 0.1))
        step *= min(1.0, 2.0 * np.sqrt(m) / max(float(np.linalg.norm(step)), 1e-300))
        if not np.isfinite(value) or float(gradient @ step) < 0.1:
            break
        new = at + others @ step
        found = _parabola(log_density, new, others)
        if not found[0] > value:
            break
        at, (value, gradient, hessian) = new, found
    precision, vectors = np.linalg.eigh(-hessian)
    root = others @ (vectors / np.sqrt(np.maximum(precision, 0.1)))
    return _Node(at, value, root @ root.T)


def _parabola(log_density: LogDensity, at: Array, basis: Array) -> tuple[float, Array, Array]:
    """Value, gradient and Hessian in the coordinates of the columns of `basis`, by differences."""
    m = basis.shape[1]
    one = _APART * np.eye(m)
    pairs = [(i, j) for i in range(m) for j in range(i)]
    places = np.concatenate([np.zeros((1, m)), one, -one, *(one[[i]] + one[[j]] for i, j in pairs)])
    values = log_density(at + places @ basis.T)
    if not np.all(np.isfinite(values)):
        return -np.inf, np.zeros(m), -np.eye(m)
    ahead, behind = values[1 : m + 1], values[m + 1 : 2 * m + 1]
    hessian = np.diag(ahead + behind - 2 * values[0])
    for value, (i, j) in zip(values[2 * m + 1 :], pairs, strict=True):
        hessian[i, j] = hessian[j, i] = value - ahead[i] - ahead[j] + values[0]
    return float(values[0]), (ahead - behind) / (2 * _APART), hessian / _APART**2
