"""`ev.read_orders`: a file of orders, read and checked as a run would read it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, overload

from evervalue.core import show
from evervalue.core.errors import SettingsError
from evervalue.core.progress import Silent
from evervalue.core.text import did_you_mean, listing
from evervalue.library.tables import Table
from evervalue.pipeline.from_file import Scored, scored_files, settings_for_file
from evervalue.warehouse.duckdb import Connection
from evervalue.warehouse.frames import FRAMES

LINES = (
    "select l.customer_id, c.customer, l.order_id, l.order_date, l.kind, l.monetary "
    "from memory.curated.order_lines as l join memory.curated.customers as c using (customer_id)"
)


@dataclass(frozen=True)
class OrderFacts:
    """What was read."""

    lines: int
    orders: int
    customers: int
    first_order_date: dt.date | None
    last_order_date: dt.date | None
    monetary: Decimal


class Orders(Table):
    """Order lines that have been read: what `ev.lrfm`, `ev.hidden_gems` and `ev.purchase_history` take.

    Its rows: `customer_id, customer, order_id, order_date, kind, monetary`, one a line. What was refused is
    counted by reason in `quarantined`.
    """

    _select = f"select * from ({LINES}) order by customer_id, order_date, order_id, kind, monetary"

    def __init__(
        self, scored: Scored, stack: ExitStack, *, currency: str, monetary_is: str, notes: list[str]
    ) -> None:
        self._hold(scored.con, "memory", stack)
        self.currency = currency
        """Currency of the money."""
        self.monetary_is = monetary_is
        """What the money is: margin or revenue."""
        self.notes = notes
        """How each doubt was settled: guessed columns, ways of writing dates and numbers, warnings."""
        with self._read() as con:
            self.quarantined: dict[str, int] = dict(
                con.execute(
                    "select reason, count(*) from (select reason from raw.quarantine union all "
                    "select reason from curated.refused_lines where verdict = 'quarantined') "
                    "group by reason order by 2 desc, 1"
                ).fetchall()
            )
            """Rows that were refused, by reason."""
            (self.duplicates,) = con.execute(
                "select count(*) from curated.refused_lines where verdict = 'duplicate'"
            ).fetchone() or (0,)
            """Rows that repeat another and were left out."""

    @property
    def facts(self) -> OrderFacts:
        """What was read, in numbers."""
        with self._read() as con:
            row = con.execute(
                "select count(*), count(distinct order_key), count(distinct customer_id), min(order_date), "
                "max(order_date), coalesce(sum(monetary), 0)::decimal(18,4) from curated.order_lines"
            ).fetchone()
        return OrderFacts(*(row or (0, 0, 0, None, None, Decimal(0))))

    def lines_view(self, beside: Connection) -> str:
        """A view of the lines for a computation in `beside`, a connection from `_beside`."""
        returns, named = beside.execute(
            "select (select coalesce(bool_or(kind <> 'sale'), false) from memory.curated.order_lines), "
            "(select coalesce(bool_or(customer <> customer_id), false) from memory.curated.customers)"
        ).fetchone() or (True, True)
        # What says nothing is left out, so that the shorter way to the same scores can be taken.
        columns = ["l.customer_id", "l.order_key as order_id", "l.order_date", "l.monetary"]
        columns += ["l.kind"] if returns else []
        columns += ["c.customer"] if named else []
        join = "join memory.curated.customers as c on c.customer_id = l.customer_id" if named else ""
        beside.execute(
            f"create temp view evervalue_lines as select {', '.join(columns)} "
            f"from memory.curated.order_lines as l {join}"
        )
        return "evervalue_lines"

    def _facts(self) -> Iterator[tuple[str, str]]:
        facts = self.facts
        yield "lines", f"{facts.lines:,} in {facts.orders:,} orders of {facts.customers:,} customers"
        yield "dates", f"{facts.first_order_date} to {facts.last_order_date}"
        yield "monetary value", f"{facts.monetary:,.2f} {self.currency} ({self.monetary_is})"
        if self.quarantined:
            refused = listing([f"{n:,} {reason}" for reason, n in self.quarantined.items()], 12)
            yield "in quarantine", f"{sum(self.quarantined.values()):,} rows: {refused}"
        if self.duplicates:
            yield "duplicates", f"{self.duplicates:,} rows left out"
        for note in self.notes:
            yield "note", note

    def _sample(self) -> show.Sample:
        columns = ["customer", "order_id", "order_date", "kind", "monetary"]
        return self._first(columns, "order_date, order_id, customer_id, monetary")


Paths = str | Path


@overload
def read_orders(path: Paths, customer: str | None = None, order: str | None = None, date: str | None = None,
                monetary: str | None = None, *, date_format: str | None = None, decimal: str | None = None,
                currency: str | None = None, frame: None = None) -> Orders: ...  # fmt: skip
@overload
def read_orders(
    path: Paths,
    customer: str | None = None,
    order: str | None = None,
    date: str | None = None,
    monetary: str | None = None,
    *,
    date_format: str | None = None,
    decimal: str | None = None,
    currency: str | None = None,
    frame: Literal["pandas", "polars", "arrow", "duckdb"],
) -> Any: ...  # fmt: skip
def read_orders(
    path: Paths,
    customer: str | None = None,
    order: str | None = None,
    date: str | None = None,
    monetary: str | None = None,
    *,
    date_format: str | None = None,
    decimal: str | None = None,
    currency: str | None = None,
    frame: str | None = None,
) -> Any:
    r"""The order lines of a file, read exactly as the command line and a run read it.

    Parameters
    ----------
    path
        CSV, TSV, Parquet, JSON lines or XLSX: a file, a folder or a glob.
    customer, order, date, monetary
        Columns as found in the file. Those not given are guessed, which `notes` tells.
    date_format, decimal, currency
        Decide what the file leaves open: "%d/%m/%Y", "," and "EUR" for example.
    frame
        "pandas", "polars", "arrow" or "duckdb": the lines as such a frame. Default: an `Orders`, which also tells
        what was refused.

    Raises
    ------
    MissingColumns
        A column is not in the file, or cannot be guessed.
    AmbiguousInput
        Dates or numbers can be read in two ways and nothing in the column decides.
    InputError
        The file cannot be read.

    Examples
    --------
    >>> import evervalue as ev, pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "orders.csv")
    >>> _ = path.write_text("Customer,Order,Day,Profit\nAnn,1,2024-01-31,10.50\nBob,2,2024-02-01,7.25\n")
    >>> orders = ev.read_orders(path, customer="Customer", order="Order", date="Day", monetary="Profit")
    >>> orders.facts.lines, orders.facts.monetary
    (2, Decimal('17.7500'))
    >>> folder.cleanup()
    """
    if frame is not None and frame not in FRAMES:
        raise SettingsError(
            f"No frame is called '{frame}'{did_you_mean(frame, FRAMES)}. There are: {', '.join(FRAMES)}."
        )
    settings, guesses = settings_for_file(
        Path(path),
        customer=customer,
        order=order,
        date=date,
        monetary=monetary,
        date_format=date_format,
        decimal=decimal,
        currency=currency,
        options={f"sources.file.{name}": name for name in ("date_format", "decimal", "currency")},
    )
    progress = Silent()
    with ExitStack() as stack:
        scored = stack.enter_context(
            scored_files(
                settings, "curated.order_lines", "curated.customers", base=Path.cwd(), progress=progress
            )
        )
        orders = Orders(
            scored,
            stack.pop_all(),
            currency=settings.project.currency,
            monetary_is=settings.lrfm.monetary,
            notes=[*guesses, *progress.warnings],
        )
    return orders if frame is None else orders._as(frame)  # type: ignore[arg-type]
