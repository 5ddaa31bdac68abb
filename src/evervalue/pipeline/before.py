"""What the run before left behind: its fitted models and its backtest, to compare with or to take over."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from evervalue import __version__
from evervalue.core.errors import EvervalueError, NothingPublished
from evervalue.models.registry import Saved, read
from evervalue.pipeline.settings import Settings
from evervalue.warehouse import duckdb
from evervalue.warehouse.duckdb import Connection, EngineError, literal
from evervalue.warehouse.publish import Publisher, Snapshot

FILES = {"orders": "models/orders.json", "spend": "models/spend.json"}
"""Where the fitted models lie beside a snapshot."""
ANEW = "models are fitted anew"


def data_key(con: Connection, settings: Settings) -> str:
    """Checksum of all that fitted models follow from: every order before the cutoff, the settings, the versions.

    The engine's own hash of each row is added up, so that the order of rows does not matter and ten million orders
    cost a fraction of a second.
    """
    facts = con.execute(
        "select any_value(c.as_of)::text, count(*), "
        "sum(hash(o.customer_id, o.order_date, o.kind, o.monetary)::decimal(38,0))::text "
        "from customers.cutoff as c left join curated.orders as o on o.order_date < c.as_of"
    ).fetchone()
    whole = {
        "orders": facts,
        "settings": settings.value.model_dump(mode="json"),
        "currency": settings.project.currency,
        "versions": [__version__, duckdb.version, version("numpy"), version("scipy")],
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


class Before:
    """The run that readers saw when this one began."""

    def __init__(self, snapshot: Snapshot | None, trouble: str = "") -> None:
        self.snapshot = snapshot
        self.troubles: dict[str, str] = {"orders": trouble} if trouble else {}
        """Why a model of it could be neither taken over nor compared with, in a sentence, by its role."""

    @classmethod
    def of(cls, publisher: Publisher) -> Before:
        """The run that is published now; none where there is none, or where it cannot be read any more."""
        try:
            return cls(publisher.current())
        except NothingPublished:
            return cls(None)
        except EvervalueError as error:
            return cls(None, f"The run before cannot be read: {ANEW}, and not compared with it. {error}")

    def model(self, role: str) -> Saved | None:
        """Its fitted model of that role; None where there is none, or none that can be read."""
        if self.snapshot is None or FILES[role] not in self.snapshot.manifest.get("files", {}):
            return None
        file = self.snapshot.beside(FILES[role])
        try:
            return read(file)
        except EvervalueError as error:
            what = (
                "is gone"
                if not file.exists()
                else "is damaged"
                if "damaged" in str(error)
                else "is of another version"
            )
            self.troubles[role] = (
                f"{FILES[role]} of the run before ({self.snapshot.run_id}) {what}: {ANEW}, and not compared with it."
            )
            return None

    def follows_from(self, con: Connection, key: str) -> bool:
        """Whether its models follow from the same data and settings, and its files are whole."""
        try:
            with self._attached(con) as name:
                rows = con.execute(f"select data_sha256 from {name}.models.fits").fetchall()
        except EngineError:  # a snapshot from before there were models
            return False
        if not rows or {row[0] for row in rows} != {key} or self.snapshot is None:
            return False
        wanted = [FILES[role] for role in FILES if FILES[role] in self.snapshot.manifest.get("files", {})]
        return all(self.model(role) for role, file in FILES.items() if file in wanted)

    def copy(self, con: Connection, table: str) -> None:
        """Adds its rows of a table to the one of the same name here."""
        with self._attached(con) as name:
            con.execute(f"insert into {table} select * from {name}.{table}")

    def copy_file(self, name: str, folder: Path) -> None:
        """Copies a file that travels with its snapshot to the same place in another folder."""
        if self.snapshot is not None:
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(self.snapshot.beside(name), folder / name)

    @contextmanager
    def _attached(self, con: Connection) -> Iterator[str]:
        if self.snapshot is None:
            raise EngineError("there is no run before")
        con.execute(f"attach {literal(str(self.snapshot.path))} as run_before (read_only)")
        try:
            yield "run_before"
        finally:
            con.execute("detach run_before")
