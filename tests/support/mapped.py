"""Curated tables built over rows of the mapped zone that a test writes itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from typing import Any

from evervalue.core.progress import Silent
from evervalue.identity.settings import IdentitySettings
from evervalue.identity.stage import IdentityStage
from evervalue.warehouse.duckdb import Connection, connect, insert, quoted
from evervalue.warehouse.runner import build
from evervalue.warehouse.sql_model import SqlModel, models_in, upstream

PACKAGES = tuple(f"evervalue.{stage}" for stage in ("sources", "pipeline", "identity", "curated"))
BUILT = ("curated", "identity")
LINE = {"kind": "sale", "currency": "EUR"}


@cache
def _declared() -> dict[str, SqlModel]:
    return {m.name: m for m in models_in(*PACKAGES)}


class Mapped:
    """A mapped zone in memory. `source` names a source, `add` gives it rows, `build` makes the curated tables."""

    def __init__(self, *, warehouse: bool = False, **identity: Any) -> None:
        self.con: Connection = connect()
        self.models = _declared()
        self.identity = IdentitySettings(**identity)
        self.lines: dict[str, int] = {}
        self.runs = 0
        self.memory = "remembering" if warehouse else None
        if warehouse:
            self.con.execute("attach ':memory:' as remembering")
        for model in self.models.values():
            if model.head.schema_name in ("raw", "mapped", "run") and not model.sql and not model.head.reads:
                self._create(model)
        self.settings()

    def settings(self, **values: Any) -> None:
        """Write run.settings."""
        given = {
            "run_id": "r1", "project_name": "Test", "currency": "EUR", "time_zone": "UTC", "monetary_basis": "margin",
            "allow_missing_cost": False, "bins": 4, "ties": "share", "high_value_at": 14, "mid_value_at": 10,
            "gem_rule": "m_score", "gem_min_m_score": 4, "gem_top_n": 20, "gem_top_share": 0.1, "what_if_max_orders": 1,
            "value_interval": 0.9, "value_discount_rate_annual": 0.1, "value_model": "none", "value_spend": "auto",
            "value_recalibrate": False, "same_orders": self.identity.same_orders,
            "session_minutes": 30, **values,
        }  # fmt: skip
        known = self.models["run.settings"].head.columns
        self.con.execute("delete from run.settings")
        self._insert("run.settings", [{k: v for k, v in given.items() if k in known}])

    def source(self, name: str, provides: str, **more: Any) -> None:
        """Name a source; its system and namespace are its own unless said."""
        system = more.pop("system", name)
        keys = more.pop("customer_keys", None)
        self._insert(
            "run.source_settings",
            [
                {"source": name, "provides": provides, "system": system, "customer_keys": keys or system,
                 "keys_given": keys is not None, "duplicates": "keep",
                 "without_rate": "stop", **more}
            ],
        )  # fmt: skip
        self._insert(
            "raw.files", [{"source": name, "file_id": "f", "path": f"{name}.csv", "status": "loaded"}]
        )

    def add(self, table: str, source: str, *rows: Mapping[str, Any]) -> None:
        """Add rows to a mapped table; file and line are given to them in turn."""
        found = []
        for row in rows:
            line = self.lines[source] = self.lines.get(source, 0) + 1
            found.append({"source": source, "file_id": "f", "line": line, **row})
        self._insert(f"mapped.{table}", found)

    def sales(self, source: str, *rows: tuple[Any, ...]) -> None:
        """Add order lines: order, day, customer, amount, and a mapping of what else there is."""
        for order, day, customer, amount, *more in rows:
            at = dt.datetime.fromisoformat(day)
            self.add(
                "order_lines",
                source,
                {**LINE, "order_id": order, "ordered_at": str(at), "order_date": at.date(), "customer_id": customer,
                 "amount": amount, **(more[0] if more else {})},
            )  # fmt: skip

    def build(self, *targets: str) -> None:
        """Make the tables, in place of those that were made before."""
        self.runs += 1
        run_id = f"r{self.runs}"
        for schema in BUILT:
            self.con.execute(f"drop schema if exists memory.{schema} cascade")
        self.con.execute("update run.settings set run_id = '" + run_id + "'")
        wanted = upstream(self.models.values(), *targets)
        models = [m for m in self.models.values() if m.name in wanted and m.head.schema_name != "raw"]
        stage = IdentityStage(self.identity, run_id=run_id, warehouse=self.memory)
        build(self.con, models, given=("raw.files",), fillers=stage.fillers(), progress=Silent())
        if "identity.customer_ids" in wanted:
            stage.keep(self.con, "memory")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.con.execute(query).fetchall()

    def _create(self, model: SqlModel) -> None:
        self.con.execute(f"create schema if not exists {model.head.schema_name}")
        columns = ", ".join(f"{quoted(n)} {c.type}" for n, c in model.head.columns.items())
        self.con.execute(f"create table {model.name} ({columns})")

    def _insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            names = ", ".join(quoted(name) for name in row)
            insert(self.con, f"{table} ({names})", [list(row.values())])
