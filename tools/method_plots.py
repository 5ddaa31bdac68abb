"""Draws the plots of docs/methods: `python tools/method_plots.py [NAME...]`, all of them without a name.

One function a model, named for its page; each draws on the two axes it is given and adds nothing to the repository but
docs/img/methods/NAME.png.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import matplotlib  # noqa: E402

matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
from tools.estimation_plots import PLOTS as ESTIMATION_PLOTS  # noqa: E402
from tools.geometric_plots import PLOTS as GEOMETRIC_PLOTS  # noqa: E402
from tools.interval_plots import PLOTS as INTERVAL_PLOTS  # noqa: E402
from tools.period_plots import PLOTS as PERIOD_PLOTS  # noqa: E402
from tools.spend_plots import PLOTS as SPEND_PLOTS  # noqa: E402

from evervalue.numerics.purchases import pareto_nbd as pareto  # noqa: E402
from tests.support import cdnow  # noqa: E402

FOLDER = ROOT / "docs" / "img" / "methods"
MOST_BYTES = 60_000
BLUE, ORANGE, GREY = "#0b5cab", "#c2560a", "#8a94a3"
Draw = Callable[[Any, Any], None]


def pareto_nbd(left: Any, right: Any) -> None:
    """CDNOW: orders of the 39 weeks after, by repeat orders before; and P(alive) by number and time of orders."""
    params = (0.553277, 10.57768, 0.606240, 11.66873)
    columns = cdnow.calibration()
    x, t_x, T = columns["frequency"], columns["recency"], columns["T"]
    expected = pareto.conditional_expected_orders(params, x, t_x, T, 39.0)
    groups = np.minimum(x, 7)
    counts = np.arange(8)
    for values, colour, marker, label in (
        (columns["holdout_orders"], GREY, "o", "actual"),
        (expected, BLUE, "s", "Pareto/NBD"),
    ):
        means = [values[groups == n].mean() for n in counts]
        left.plot(counts, means, color=colour, marker=marker, label=label)
    left.set_xticks(counts, [*map(str, counts[:-1]), "7+"])
    left.set(xlabel="repeat orders in weeks 1-39", ylabel="mean orders in weeks 40-78", ylim=(0, None))
    left.legend(frameon=False)
    weeks = np.linspace(0.5, 38.86, 200)
    for n, colour, label in (
        (1, ORANGE, "1 repeat order"),
        (3, BLUE, "3 repeat orders"),
        (10, GREY, "10 repeat orders"),
    ):
        right.plot(weeks, pareto.p_alive(params, n, weeks, 38.86), color=colour, label=label)
    right.axhline(float(pareto.p_alive(params, 0, 0, 38.86)), color="black", linestyle=":", label="none")
    right.set(xlabel="week of the last order", ylabel="P(alive) at week 38.9", ylim=(0, 1))
    right.legend(frameon=False)


PLOTS: dict[str, Draw] = {
    "pareto_nbd": pareto_nbd,
    **ESTIMATION_PLOTS,
    **GEOMETRIC_PLOTS,
    **INTERVAL_PLOTS,
    **PERIOD_PLOTS,
    **SPEND_PLOTS,
}


def main(names: list[str]) -> None:
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names or list(PLOTS):
        figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
        PLOTS[name](*axes)
        path = FOLDER / f"{name}.png"
        figure.savefig(path, dpi=100, metadata={"Software": None})
        plt.close(figure)
        size = path.stat().st_size
        print(f"{path.relative_to(ROOT)}: {size:,} bytes")
        if size > MOST_BYTES:
            raise SystemExit(f"{path.name} is larger than {MOST_BYTES:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
