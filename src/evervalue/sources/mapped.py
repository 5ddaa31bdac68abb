"""One output on its way from the raw zone to its mapped table: mapped anew where rows or settings changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from evervalue.sources import apply, raw_zone
from evervalue.sources.feed import Brought, Context
from evervalue.sources.fitted import fitted
from evervalue.sources.mapping import plan
from evervalue.sources.report import SourceReport
from evervalue.sources.settings import ReaderSettings
from evervalue.sources.systems import Output
from evervalue.warehouse.duckdb import Connection

MAPPING_VERSION = 5
"""Raised whenever the same raw rows would be mapped otherwise, so that every source is mapped anew."""


def bring_output(
    context: Context,
    output: Output,
    brought: Mapping[str, Brought],
    report: SourceReport,
    *,
    currency: str,
    time_zone: str,
) -> None:
    """Map an output where its rows or its settings changed: only the rows that did, where the plan is the same.

    Parameters
    ----------
    brought
        Feed: what the load did to it.
    """
    con = context.con
    settings = output.settings.model_dump(exclude={*ReaderSettings.model_fields, "kind"}, mode="json")
    lookups = [[x.alias, x.feed, x.on, [rule.model_dump() for rule in x.only]] for x in output.lookups]
    meant = _hashed({"settings": settings, "from": output.feed, "lookups": lookups, "currency": currency,
                     "time_zone": time_zone, "version": MAPPING_VERSION})  # fmt: skip
    known = raw_zone.run(
        con, "select settings_hash, report, plan_hash from raw.mappings where source = ?", [output.name]
    ).fetchone()
    same = known is not None and known[0] == meant and not context.full_refresh
    if not same or any(brought[feed].changed for feed in output.feeds):
        context.progress.step(f"Mapping {output.name}", detail=output.provides)
        there = {feed: list(raw_zone.column_types(con, feed)) for feed in output.feeds}
        fit = fitted(output, there, preset=output.preset)
        if fit.output is None:
            report.notes = fit.notes
            return
        plans = plan(con, fit.output, currency=currency, time_zone=time_zone)
        plans.notes = [*fit.notes, *plans.notes]
        within = _touched(output, brought) if same and known and known[2] == plans.fingerprint else None
        apply.apply(con, plans, run_id=context.run_id, touched=within)
        if plans.table != plans.base:
            con.execute(f"drop table {plans.table}")
        report.remapped = True
        report.notes, report.warnings = plans.notes, plans.warnings
        raw_zone.run(con, "delete from raw.mappings where source = ?", [output.name])
        raw_zone.run(
            con,
            "insert into raw.mappings values (?, ?, ?, ?, ?, ?)",
            [output.name, meant, report.kept(), context.run_id, plans.fingerprint, output.feed],
        )
    elif known:
        kept = json.loads(known[1])
        report.notes, report.warnings = kept["notes"], kept["warnings"]
    count_output(con, output, report)


def _touched(output: Output, brought: Mapping[str, Brought]) -> str | None:
    """The table of rows to map anew, where those are all: nothing that is looked up may have changed."""
    if any(brought[lookup.feed].changed for lookup in output.lookups):
        return None
    return brought[output.feed].touched


def count_output(con: Connection, output: Output, report: SourceReport) -> None:
    """Tell the report how many rows the output holds."""
    totals = raw_zone.run(
        con,
        "select sum(rows_read), sum(rows_mapped), sum(rows_set_aside) from mapped.source_totals where source = ?",
        [output.name],
    ).fetchone()
    report.rows_read, report.rows_mapped, report.rows_set_aside = (int(n or 0) for n in totals or (0, 0, 0))
    names = {output.name, output.feed}
    report.quarantined = {
        reason: int(n)
        for reason, n in con.execute(
            f"select reason, count(*) from raw.quarantine where source in ({raw_zone.in_list(sorted(names))}) "
            "group by reason order by reason"
        ).fetchall()
    }


def _hashed(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
