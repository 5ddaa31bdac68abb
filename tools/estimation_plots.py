"""The plot of docs/methods/estimation.md, for tools/method_plots.py."""

from __future__ import annotations

from typing import Any

import numpy as np

import evervalue as ev
from evervalue.numerics.arrays import Array
from evervalue.numerics.estimation.profile import profile_interval
from tests.support import cdnow

BLUE, ORANGE, GREY = "#0b5cab", "#c2560a", "#8a94a3"


def estimation(left: Any, right: Any) -> None:
    """Pareto/NBD on CDNOW: draws of s and beta beside the normal approximation, and the profile of s."""
    model = ev.ParetoNBD().fit(cdnow.calibration(), unit="W")
    draws = model.posterior(1_000).draws
    left.loglog(draws[:, 2], draws[:, 3], ".", color=BLUE, markersize=3, label="1,000 draws")
    spread, axes = np.linalg.eigh(model.covariance_[2:, 2:])
    turn = np.linspace(0, 2 * np.pi, 200)
    around = 2.448 * (axes * np.sqrt(spread)) @ np.stack([np.cos(turn), np.sin(turn)])
    centre = np.array([[model.params_["s"]], [model.params_["beta"]]])
    left.plot(*(centre * np.exp(around)), color=ORANGE, label="normal approximation, 95 %")
    left.set(xlabel="s (log scale)", ylabel="beta, weeks (log scale)")
    left.legend(frameon=False, loc="upper left")

    theta = model._theta
    path = np.unique(
        np.concatenate([_path(model, level) for level in (0.3, 0.6, 0.8, 0.9, 0.95, 0.97, 0.985, 0.995)]),
        axis=0,
    )
    away = path[:, 0] - theta[2]
    fine = np.linspace(-1.5, 2.2, 200)
    losses = np.interp(fine, away, np.sign(away) * np.sqrt(path[:, 1])) ** 2
    values = np.exp(theta[2] + fine)
    right.plot(values, fine**2 / (2 * model.covariance_[2, 2]), color=ORANGE, label="normal")
    right.plot(values, losses, color=BLUE, label="profile")
    right.axhline(1.92, color=GREY, linestyle=":", label="95 %")
    right.set(xscale="log", xlabel="s (log scale)", ylabel="loss of log-likelihood", ylim=(0, 6))
    right.set_xticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
    right.set_xticks([], minor=True)
    right.legend(frameon=False, loc="lower right")


def _path(model: Any, level: float) -> Array:
    """Values of log s that the search for one interval tried, and what each loses."""
    return profile_interval(model._likelihood.objective, model._theta, model._hessian, 2, level=level).path


PLOTS = {"estimation": estimation}
