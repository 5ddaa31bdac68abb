"""One piece of work on purchase models: `python -m benchmarks.model_work fit|posterior|score|import WHO MODEL FILE`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

from benchmarks.measure import tell, timed


def load(path: str) -> dict[str, Any]:
    """Histories in memory."""
    import numpy as np

    with np.load(path) as found:
        return {name: found[name] for name in found.files}


def of_evervalue(work: str, model: str, path: str) -> None:
    """Ours."""
    if work == "import":
        tell(timed(lambda: __import__("evervalue").BetaGeo)[1])
        return
    import evervalue as ev
    from evervalue.models.purchase_models import MODELS

    rows = load(path)
    unit = str(rows.pop("unit"))
    estimator = MODELS[model]()
    _ = estimator.kernel  # modules are imported before the clock starts, for everyone
    if work == "fit":
        fitted, took = timed(lambda: estimator.fit(rows, unit=unit))
        tell(took, log_likelihood=fitted.log_likelihood_)
    elif work == "posterior":
        drawn, took = timed(lambda: estimator.fit(rows, unit=unit).posterior(1_000))
        tell(took, posterior={n: (drawn.mean[n], drawn.sd[n]) for n in drawn.names})
    else:
        fitted = ev.CLV(estimator, ev.GammaGamma()).fit(rows, unit=unit)
        _, took = timed(lambda: fitted.predict(rows, horizon="365d", discount_rate_annual=0.10, interval=0.9))
        tell(took)


def of_lifetimes(work: str, model: str, path: str) -> None:
    """The library that most people know."""
    if work == "import":
        tell(timed(lambda: __import__("lifetimes"))[1])
        return
    import lifetimes
    import numpy as np

    from evervalue.models.purchase_models import MODELS

    rows = load(path)
    x, t_x, T = rows["frequency"], rows["recency"], rows["T"]
    fitters: dict[str, Callable[[], Any]] = {
        "bg-nbd": lambda: lifetimes.BetaGeoFitter(), "pareto-nbd": lambda: lifetimes.ParetoNBDFitter()
    }  # fmt: skip
    fitter = fitters[model]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, took = timed(lambda: fitter.fit(x, t_x, T))
    if work == "score":
        _lifetimes_scores(fitter, rows, str(rows["unit"]))
        return
    kernel = MODELS[model]().kernel
    params = [float(fitter.params_[name]) for name in kernel.names]
    tell(took, log_likelihood=float(np.sum(kernel.log_likelihood(params, x, t_x, T))))


def _lifetimes_scores(fitter: Any, rows: dict[str, Any], unit: str) -> None:
    """Twelve monthly steps at 10 % a year; spend by its Gamma-Gamma, fitted before the clock starts."""
    import lifetimes
    import pandas as pd

    frame = pd.DataFrame({name: rows[name] for name in ("frequency", "recency", "T", "monetary_value")})
    buyers = frame[frame["monetary_value"] > 0]
    spend = lifetimes.GammaGammaFitter().fit(buyers["frequency"], buyers["monetary_value"])
    columns = (frame["frequency"], frame["recency"], frame["T"], frame["monetary_value"])
    monthly = 1.1 ** (1 / 12) - 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, took = timed(
            lambda: spend.customer_lifetime_value(fitter, *columns, time=12, discount_rate=monthly, freq=unit)
        )
    tell(took)


if __name__ == "__main__":
    {"evervalue": of_evervalue, "lifetimes": of_lifetimes}[sys.argv[2]](sys.argv[1], *sys.argv[3:])
