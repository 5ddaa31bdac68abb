"""Purchase models beside lifetimes and pymc-marketing: fit, posterior, score with intervals, memory, import."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.measure import Result, fresh

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers" / "bin" / "python"
SIZES = {"cdnow": "2,357 (CDNOW)", "100k": "100,000", "1m": "1,000,000"}
PARAMETERS = {
    "bg-nbd": (0.25, 31.0, 0.8, 2.4),
    "pareto-nbd": (0.55, 74.0, 0.6, 82.0),
}
LONGEST = float(os.environ.get("PEER_LIMIT", "1800"))
"""Seconds after which a peer is stopped, and said to take longer; PEER_LIMIT sets another."""
ABOUT = """\
Each line is a process of its own. Customers are CDNOW's sample in weeks, and simulated customers with daily histories
of up to two years. Seconds are of the fit alone, from arrays in memory; log-likelihoods are all computed by the same
function at each maximum, so that a higher one is a better fit. CPU seconds are those of all threads together. Ours is
the best of three runs, a peer's its only one."""

POSTERIOR = """\
Ours: 1,000 draws, fit included. pymc-marketing: NUTS, four chains of 1,000 draws after 1,000 of tuning, half-flat
priors on all parameters, where ours are flat on their logs: the same posterior once ours is weighted to these priors
(docs/methods/estimation.md). Seconds include compiling its model, as its user waits for that too."""


SCORES = """\
lifetimes has means for orders and value (`customer_lifetime_value`, monthly steps) and no interval; ours is the law of
realised orders and value of each customer, parameters uncertain, with its 90 % intervals. pymc-marketing has the
posterior of a mean, not of what happens."""


def section(folder: Path, say: Callable[[str], None], *, quick: bool) -> str:
    """The section of the report."""
    sizes = ["cdnow"] if quick else list(SIZES)
    files = {(model, size): _histories(folder, model, size) for model in PARAMETERS for size in sizes}
    lines = [
        "## Purchase models beside their peers",
        "",
        ABOUT,
        "",
        "| model | customers | who | seconds | CPU seconds | peak memory | log-likelihood | ours is faster by |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for (model, size), path in files.items():
        ours = _ours("fit", model, path)
        say(f"fit {model} {size} evervalue: {ours.seconds:.2f} s")
        lines.append(_row(model, size, "`ev`", ours, None))
        for who in ("lifetimes", "pymc-marketing (MAP)"):
            theirs = _peer("fit", who, model, path)
            say(f"fit {model} {size} {who}: {theirs if isinstance(theirs, str) else theirs.seconds}")
            lines.append(_row(model, size, who, theirs, ours))
    scores, imports = _scores(files, say), _imports(say)
    return "\n".join([*lines, "", *_posterior(files, say), "", *scores, "", *imports, ""])


def _posterior(files: dict[tuple[str, str], Path], say: Callable[[str], None]) -> list[str]:
    lines = [
        "### Posterior of the parameters",
        "",
        POSTERIOR,
        "",
        "| model | customers | who | seconds | CPU seconds | peak memory | means (sd) | ours is faster by |",
        "| --- | ---: | --- | ---: | ---: | ---: | --- | ---: |",
    ]
    for (model, size), path in files.items():
        ours = _ours("posterior", model, path)
        say(f"posterior {model} {size} evervalue: {ours.seconds:.2f} s")
        lines.append(_posterior_row(model, size, "`ev`", ours, None))
        if size != "1m":  # NUTS has not ended on a tenth of it
            theirs = _peer("posterior", "pymc-marketing (NUTS)", model, path)
            say(f"posterior {model} {size} pymc: {theirs if isinstance(theirs, str) else theirs.seconds}")
            lines.append(_posterior_row(model, size, "pymc-marketing (NUTS)", theirs, ours))
    return lines


def _scores(files: dict[tuple[str, str], Path], say: Callable[[str], None]) -> list[str]:
    lines = [
        "### Scores 365 days ahead, discounted, from a fitted model",
        "",
        SCORES,
        "",
        "| model | customers | who | seconds | CPU seconds | peak memory |",
        "| --- | ---: | --- | ---: | ---: | ---: |",
    ]
    for (model, size), path in files.items():
        ours = _ours("score", model, path)
        theirs = _peer("score", "lifetimes", model, path)
        for who, found in (("`ev.CLV`, 90 % intervals", ours), ("lifetimes, means alone", theirs)):
            say(f"score {model} {size} {who}: {found if isinstance(found, str) else found.seconds}")
            told = (
                f"{found} | |"
                if isinstance(found, str)
                else f"{found.seconds:.2f} | {found.cpu_seconds:.2f} | {found.peak_mb:,.0f} MB"
            )
            lines.append(f"| {model} | {SIZES[size]} | {who} | {told} |")
    return lines


def _imports(say: Callable[[str], None]) -> list[str]:
    ours = _ours("import", "bg-nbd", Path("-"))
    lines = [
        "### Import",
        "",
        "| who | seconds |",
        "| --- | ---: |",
        f"| `ev.BetaGeo` | {ours.seconds:.2f} |",
    ]
    for who in ("lifetimes", "pymc-marketing"):
        theirs = _peer("import", who, "bg-nbd", Path("-"))
        say(f"import {who}: {theirs if isinstance(theirs, str) else theirs.seconds}")
        lines.append(f"| {who} | {theirs if isinstance(theirs, str) else f'{theirs.seconds:.2f}'} |")
    return lines


def _ours(work: str, model: str, path: Path) -> Result:
    """What we took: the best of three, as everything here takes seconds."""
    found = [fresh("benchmarks.model_work", work, "evervalue", model, str(path)) for _ in range(3)]
    return min(found, key=lambda one: one.seconds)


def _peer(work: str, who: str, model: str, path: Path) -> Result | str:
    """What a peer took; words where it has no result. Kept beside the data: a slow peer is not asked twice."""
    kept = Path(f"{path}.{work}.{who}.json".replace(" ", "_")) if path.suffix else None
    if kept is not None and kept.exists():
        found = json.loads(kept.read_text())
        return found if isinstance(found, str) else Result(**found)
    took = _asked(work, who, model, path)
    if kept is not None and not (isinstance(took, str) and took.startswith("not ")):
        kept.write_text(json.dumps(took if isinstance(took, str) else asdict(took)))
    return took


def _asked(work: str, who: str, model: str, path: Path) -> Result | str:
    if who == "lifetimes":
        if work == "score" and model == "pareto-nbd" and not path.stem.endswith("cdnow"):
            return "not run: its fit is above"
        try:
            return fresh("benchmarks.model_work", work, "lifetimes", model, str(path), timeout=LONGEST)
        except subprocess.TimeoutExpired:
            return f"stopped after {LONGEST:,.0f}"
        except RuntimeError as error:
            return f"failed: {str(error).strip().splitlines()[-1][:80]}"
    if not PEERS.exists():
        return "not installed (`make peers`)"
    if work == "posterior" and model == "pareto-nbd" and not path.stem.endswith("cdnow"):
        return "not run: BG/NBD's is above"
    try:
        return fresh("benchmarks.pymc_peer", work, model, str(path), python=PEERS, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return f"stopped after {LONGEST:,.0f}"
    except RuntimeError as error:
        return f"failed: {str(error).strip().splitlines()[-1][:80]}"


def _row(model: str, size: str, who: str, found: Result | str, ours: Result | None) -> str:
    if isinstance(found, str):
        at_least = f"over {LONGEST / ours.seconds:,.0f}" if ours and found.startswith("stopped") else ""
        return f"| {model} | {SIZES[size]} | {who} | {found} | | | | {at_least} |"
    likelihood = f"{found.more['log_likelihood']:,.4f}" if "log_likelihood" in found.more else ""
    faster = f"{found.seconds / ours.seconds:,.1f}" if ours else ""
    return (
        f"| {model} | {SIZES[size]} | {who} | {found.seconds:.2f} | {found.cpu_seconds:.2f} | {found.peak_mb:,.0f} MB "
        f"| {likelihood} | {faster} |"
    )


def _posterior_row(model: str, size: str, who: str, found: Result | str, ours: Result | None) -> str:
    if isinstance(found, str):
        at_least = f"over {LONGEST / ours.seconds:,.0f}" if ours and found.startswith("stopped") else ""
        return f"| {model} | {SIZES[size]} | {who} | {found} | | | | {at_least} |"
    means = ", ".join(f"{name} {m:.4g} ({s:.3g})" for name, (m, s) in found.more["posterior"].items())
    faster = f"{found.seconds / ours.seconds:,.0f}" if ours else ""
    return (
        f"| {model} | {SIZES[size]} | {who} | {found.seconds:.2f} | {found.cpu_seconds:.2f} | {found.peak_mb:,.0f} MB "
        f"| {means} | {faster} |"
    )


def _histories(folder: Path, model: str, size: str) -> Path:
    """Histories with spend in an .npz file, written once."""
    path = folder / f"{model}_{size}.npz"
    if path.exists():
        return path
    if size == "cdnow":
        from tests.support import cdnow

        found = cdnow.calibration()
        np.savez(path, unit="W", **{k: found[k] for k in ("frequency", "recency", "T", "monetary_value")})
        return path
    from evervalue.models.purchase_models import MODELS

    n = 100_000 if size == "100k" else 1_000_000
    rng = np.random.default_rng(7)
    ages = rng.integers(1, 731, n).astype(float)
    drawn = MODELS[model]().kernel.simulate(PARAMETERS[model], ages, rng)
    # Days are whole: a purchase falls on the day that it reaches.
    last = np.minimum(np.ceil(drawn.t_x), ages)
    mean = np.where(drawn.x > 0, rng.gamma(6.0, 1.0, n) * 15.4 / rng.gamma(3.7, 1.0, n), 0.0)
    np.savez(
        path,
        unit="D",
        frequency=drawn.x,
        recency=last,
        T=ages,
        monetary_value=np.round(mean + 0.01 * (drawn.x > 0), 4),
    )
    return path
