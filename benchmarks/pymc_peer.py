"""pymc-marketing's part, in its own environment: `python -m benchmarks.pymc_peer fit|posterior|import MODEL FILE`."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from benchmarks.measure import tell, timed

NAMES = {"bg-nbd": ("r", "alpha", "a", "b"), "pareto-nbd": ("r", "alpha", "s", "beta")}


def main(work: str, model: str, path: str) -> None:
    """Prints what the work took."""
    warnings.simplefilter("ignore")
    if work == "import":
        tell(timed(lambda: __import__("pymc_marketing.clv"))[1])
        return
    import numpy as np
    import pandas as pd
    from pymc_marketing import clv
    from pymc_marketing.prior import Prior

    with np.load(path) as found:
        rows = {name: found[name] for name in ("frequency", "recency", "T")}
    frame = pd.DataFrame({"customer_id": np.arange(len(rows["T"])), **rows})
    kind = {"bg-nbd": clv.BetaGeoModel, "pareto-nbd": clv.ParetoNBDModel}[model]
    names = NAMES[model]
    config = {name: Prior("HalfFlat") for name in names}
    estimator = kind(data=frame, model_config=config)
    if work == "fit":
        _, took = timed(lambda: estimator.fit(method="map", progressbar=False))
        tell(took, params={n: float(estimator.fit_result[n].mean()) for n in names})
        return
    sampler: dict[str, Any] = {"chains": 4, "draws": 1000, "tune": 1000, "cores": 2, "random_seed": 1}
    _, took = timed(lambda: estimator.fit(method="mcmc", progressbar=False, **sampler))
    drawn = estimator.fit_result
    tell(took, posterior={n: (float(drawn[n].mean()), float(drawn[n].std())) for n in names})


if __name__ == "__main__":
    main(*sys.argv[1:])
