"""Tells predicted value: the total with its interval, why this model, and what the data cannot tell."""

from __future__ import annotations

from evervalue.cli import show
from evervalue.pipeline.story import value_headline
from evervalue.warehouse.duckdb import Connection


def tell_value(con: Connection) -> None:
    """The findings in front of the table of customers."""
    head = value_headline(con)
    show.heading("What customers are expected to bring")
    for sentence in head.sentences():
        show.say("  " + sentence)
    for finding in head.notes():
        show.warn(finding)


def tell_models(con: Connection) -> None:
    """Every fitted model with its parameters."""
    roles = {"orders": "When customers buy and leave", "spend": "What they spend"}
    rows = con.execute(
        "select f.role, f.model, f.is_fitted, f.model_says, f.time_unit, f.customers, f.posterior_says, f.findings, "
        "r.is_reused, r.drift_says from models.fits as f left join run.fits as r on r.role = f.role order by f.role"
    ).fetchall()
    if len({(row[1], row[3]) for row in rows}) == 1:  # nothing for either, for one reason
        show.heading("No model")
        show.say(f"  {rows[0][3]}")
        return
    for role, name, fitted, says, unit, n, uncertainty, findings, reused, drift in rows:
        show.heading(f"{roles[role]}: {name}")
        show.say(f"  {says}")
        if fitted:
            parts = [f"{n:,} customers"]
            parts += ["time in days"] if role == "orders" and unit == "D" else []
            parts += ["taken over from the run before: same data, same settings"] if reused else []
            show.say(f"  Fitted to {'; '.join(parts)}.")
            parameters = con.execute(
                "select parameter, estimate, standard_error, low, high from models.parameters "
                f"where role = '{role}' order by position"
            ).fetchall()
            show.grid(
                ["parameter", "estimate", "standard error", "low", "high"],
                [[row[0], *(None if v is None else f"{v:.6g}" for v in row[1:])] for row in parameters],
            )
        for line in (f"Uncertainty: {uncertainty}" if uncertainty else "", drift, *_lines(findings)):
            if line:
                show.say(f"  {line}")


def _lines(findings: str | None) -> list[str]:
    return findings.splitlines() if findings else []
