"""Shortest intervals that hold an asked mass of a predictive law, many laws at once, each with its own mass.

A law of counts and a law with an atom at zero cannot hold exactly the asked mass: the interval holds at least that
much, and its own mass says how much. Coverage is to be judged against the own mass. Equal tails would hold more
than is asked wherever the lower tail is swallowed by an atom, which is why the shortest interval is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evervalue.core.arguments import number
from evervalue.numerics.arrays import Array
from evervalue.numerics.predictive.grid_law import GridLaw

_SLACK = 1e-9
"""A mass that misses the asked one by rounding alone counts as reached."""
_SCAN = 24
_GOLDEN = (3 - np.sqrt(5)) / 2
_STEPS = 14
_WORTH = 1.03


@dataclass(frozen=True)
class Intervals:
    """Closed intervals [low, high], one a law."""

    low: Array
    high: Array
    mass: Array
    """Probability that the law gives to its interval: at least the asked one."""


def asked_mass(interval: object) -> float:
    """The mass that a user asked for.

    Raises
    ------
    SettingsError
        It is no number above 0 and up to 0.999.
    """
    wanted = (
        "is no share that an interval can hold. Give one above 0 and up to 0.999; 0.9 gives [low, high] in which nine "
        "realised values of ten are expected."
    )
    return number(interval, "interval", wanted, lambda mass: 0 < mass <= 0.999)


def shortest_counts(pmf: Array, mass: float) -> Intervals:
    """Shortest [low, high] of whole numbers that holds `mass`; of equally short ones the one that holds most.

    Parameters
    ----------
    pmf
        (laws, n_max + 1): P(N = n). What lies beyond n_max may be left out where it is far below 1 - mass.
    mass
        Share to hold, up to 0.999.

    Returns
    -------
    Intervals
        Where the law ends before the mass is reached, high is n_max.

    Examples
    --------
    >>> found = shortest_counts(np.array([[0.7, 0.1, 0.1, 0.1], [0.05, 0.15, 0.5, 0.3]]), 0.8)
    >>> found.low, found.high, found.mass
    (array([0., 2.]), array([1., 3.]), array([0.8, 0.8]))
    """
    laws, width = pmf.shape
    below = np.zeros(
        (width + 1, laws)
    )  # P(N < n), counts down the rows so that a pass over laws is contiguous
    np.cumsum(pmf.T, axis=0, out=below[1:])
    asked = np.minimum(mass, below[-1]) - _SLACK
    low = np.zeros(laws)
    high = np.full(laws, width - 1.0)
    held = below[-1].copy()
    rows = np.arange(laws)
    end = np.zeros(laws, dtype=np.intp)  # first n with P(low <= N < n) >= mass
    for start in range(width):
        possible = below[-1, rows] - below[start, rows] >= asked[rows]
        rows, end = rows[possible], end[possible]
        if not rows.size:
            break
        wanted = below[start, rows] + asked[rows]
        while True:
            short = below[end, rows] < wanted
            if not short.any():
                break
            end = end + short
        inside = below[end, rows] - below[start, rows]
        length, best = end - 1 - start, high[rows] - low[rows]
        better = (length < best) | ((length == best) & (inside > held[rows] + _SLACK)) | (start == 0)
        low[rows[better]] = start
        high[rows[better]] = end[better] - 1
        held[rows[better]] = inside[better]
    return Intervals(low, high, held)


def shortest(law: GridLaw, mass: float) -> Intervals:
    """Shortest [low, high] that holds `mass` of laws with a density and an atom at zero.

    Writing Q for the quantile function, flat at zero over the atom, it is [Q(u), Q(u + mass)] at the u that makes it
    shortest. u = 0 is tried (the lower end of the support), the two places where an end leaves zero, a scan of u,
    and a golden-section search round the best of the scan. Where the atom alone holds the mass it is [0, 0].

    Examples
    --------
    >>> from evervalue.numerics.predictive.grid_law import GridLaw
    >>> z, none = np.linspace(-2, 2, 801), np.zeros(1)
    >>> even = GridLaw(z, np.clip(np.sinh(z) / 2, 0, 1)[None, :] / 2, none + 0.5, none, (none, none + 1))
    >>> found = shortest(even, 0.75)
    >>> found.low.round(6), found.high.round(6), found.mass.round(6)
    (array([0.]), array([1.]), array([0.75]))
    """
    total = law.total
    asked = np.minimum(mass, total)
    low, high = np.zeros(law.rows), np.zeros(law.rows)
    held = law.atom.copy()
    rows = np.flatnonzero(law.atom < asked - _SLACK)
    if rows.size:
        part = law.take(rows)
        low[rows], high[rows] = _shortest(part, asked[rows])
        held[rows] = asked[rows]
    return Intervals(low, high, held)


def _shortest(law: GridLaw, asked: Array) -> tuple[Array, Array]:
    """Ends where the atom does not hold the mass alone."""
    room = np.maximum(law.total - asked, 0.0)
    low = np.zeros(law.rows) if law.one_sided else law.quantile(np.zeros(law.rows))
    high = law.quantile(asked)
    length = high - low

    def keep(rows: NDArray[np.intp], new_low: Array, new_high: Array) -> None:
        shorter = new_high - new_low < length[rows]
        rows = rows[shorter]
        low[rows], high[rows] = new_low[shorter], new_high[shorter]
        length[rows] = high[rows] - low[rows]

    # Ends at zero: the atom is taken whole, where the other end has room for the rest.
    if not law.one_sided:
        rows = np.flatnonzero(law.at_zero <= room)
        part = law.take(rows)
        keep(rows, np.zeros(rows.size), part.quantile(part.at_zero + asked[rows]))
        rows = np.flatnonzero((law.at_zero + law.atom >= asked) & (law.at_zero + law.atom <= law.total))
        part = law.take(rows)
        keep(rows, part.quantile(part.at_zero + part.atom - asked[rows]), np.zeros(rows.size))

    # Ends elsewhere. With nothing below zero a lower end above it has to leave the whole atom out.
    first = law.atom if law.one_sided else np.zeros(law.rows)
    rows = np.flatnonzero(first < room)
    if not rows.size:
        return low, high
    part, wanted, left, width = law.take(rows), asked[rows], first[rows], (room - first)[rows]

    def ends(share: Array, fine: bool) -> tuple[Array, Array]:
        u = left + width * share
        return part.quantile(u, fine=fine), part.quantile(u + wanted, fine=fine)

    shares = (np.arange(_SCAN) + 0.5) / _SCAN
    best, least = np.zeros(rows.size), np.full(rows.size, np.inf)
    for share in shares:
        a, b = ends(np.full(rows.size, share), fine=False)
        shorter = b - a < least
        best[shorter], least[shorter] = share, (b - a)[shorter]
    # Where zero money is likely, nearly every shortest interval starts there: those are not searched any further.
    close = np.flatnonzero(least < length[rows] * _WORTH)
    if not close.size:
        return low, high
    rows, part, wanted, left, width, best = (
        rows[close], part.take(close), wanted[close], left[close], width[close], best[close],
    )  # fmt: skip
    near, far = np.maximum(best - 1 / _SCAN, 0), np.minimum(best + 1 / _SCAN, 1)
    for _ in range(_STEPS):
        one, two = near + _GOLDEN * (far - near), far - _GOLDEN * (far - near)
        a1, b1 = ends(one, fine=True)
        a2, b2 = ends(two, fine=True)
        left_is_shorter = b1 - a1 <= b2 - a2
        far = np.where(left_is_shorter, two, far)
        near = np.where(left_is_shorter, near, one)
    keep(rows, *ends((near + far) / 2, fine=True))
    return low, high
