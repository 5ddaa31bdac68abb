"""What a PostgreSQL stream tells, transaction by transaction, on its way to the tables."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import cast

from evervalue.core.errors import InputError, SourceUnavailable
from evervalue.core.progress import Progress
from evervalue.sources.changes import pgoutput as pg
from evervalue.sources.changes.positions import Position
from evervalue.sources.changes.postgres_publication import refuse_without_key
from evervalue.sources.changes.postgres_shape import Described
from evervalue.sources.changes.postgres_slot import AGAIN
from evervalue.sources.changes.postgres_tables import PostgresTables
from evervalue.sources.changes.stage import Cell, Segment, Shape, Stage

EPOCH = dt.datetime(2000, 1, 1)
CHARACTER = 1042
"""Type character(n), whose values the stream pads with blanks."""


@dataclass
class Pending:
    """Transactions that came whole and are not applied."""

    position: Position | None = None
    anew: set[str] = field(default_factory=set)
    """Feeds that must be read again: a change of their columns says nothing of the rows that are there."""
    shapes: dict[str, Described] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """A table as the stream described it last."""

    segment: Segment | None = None
    """Where its changes go; None where the table is not followed."""
    key_places: tuple[int, ...] = ()


class Incoming:
    """Messages in, staged changes and what else is pending out."""

    def __init__(self, tables: PostgresTables, stage: Stage, progress: Progress) -> None:
        self.tables = tables
        self.stage = stage
        self.progress = progress
        self.where = tables.address.where
        self.applied_to = Position(tables.kind)
        """Everything before it is applied."""
        self.pending = Pending()
        self.committed_at: dt.datetime | None = None
        """When the source committed the last transaction that came whole."""
        self._begun: pg.Begin | None = None
        self._ordinal = 0
        self._skipping = False
        self._told: dict[int, Told] = {}
        self._feeds: dict[int, str] = {}

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction has come in part."""
        return self._begun is not None

    @property
    def anything(self) -> bool:
        """Whether something is to be applied."""
        waits = self.pending
        return bool(self.stage.rows or waits.anew or waits.shapes or waits.position)

    def begin(self) -> None:
        """A stream begins: nothing of it is described yet."""
        self._told = {}
        self._begun = None

    def clear(self) -> None:
        """What was pending is applied, or comes again."""
        self.stage.clear()
        self.pending = Pending()

    def take(self, data: bytes) -> None:
        """One message of the stream.

        Raises
        ------
        SourceUnavailable, InputError
            A table cannot be followed any more, or the stream holds what was not asked for.
        """
        message, _ = pg.decode(data)
        match message:
            case pg.Insert(relation, new):
                self._change(b"i", relation, None, "", new)
            case pg.Update(relation, kind, old, new):
                self._change(b"u", relation, old, kind, new)
            case pg.Delete(relation, kind, old):
                self._change(b"d", relation, old, kind, None)
            case pg.Begin(final_lsn, _, _):
                self._begun = message
                self._ordinal = 0
                # What was applied before comes again where the acknowledgement was lost.
                self._skipping = final_lsn < self.applied_to.next_lsn
            case pg.Commit():
                self._begun = None
                if not self._skipping:
                    self._commit(message)
            case pg.Relation():
                self._told[message.id] = self._described(message)
            case pg.Truncate(relations, _, _):
                for relation in relations:
                    self._change(b"t", relation, None, "", None)
            case pg.Type() | pg.Origin() | pg.Message():
                pass
            case _:
                raise InputError(f"{self.where}: the stream holds {type(message).__name__}, not asked for.")

    def look_again(self) -> None:
        """Take what the stream would say of tables that were reshaped and not written to since."""
        for feed, message in self.tables.messages():
            held = self.tables.described[feed]
            if message.id != held.oid:
                self.tables.refuse_another(message, held)
            self._reshaped(feed, message)

    def _commit(self, message: pg.Commit) -> None:
        self.committed_at = EPOCH + dt.timedelta(microseconds=message.committed_at)
        self.pending.position = replace(
            self.applied_to,
            lsn=message.lsn,
            ordinal=self._ordinal,
            next_lsn=message.end_lsn,
            committed_at=self.committed_at,
        )

    def _change(
        self, op: bytes, relation: int, old: pg.Values | None, kind: str, new: pg.Values | None
    ) -> None:
        self._ordinal += 1
        if self._skipping:
            return
        assert self._begun is not None
        told = self._told.get(relation)
        if told is None:
            raise InputError(f"{self.where}: the stream changes a table it has not described. Run again.")
        segment = told.segment
        if segment is None:
            return
        if segment.file is None:  # the batch it belonged to is applied
            segment = self.stage.segment(segment.feed, segment.shape)
            self._told[relation] = replace(told, segment=segment)
        names = segment.shape.columns
        unchanged: list[str] = []
        was: list[Cell] | None = None
        if old is not None:
            was = [cast("Cell", old[i]) for i in told.key_places]
        if new is None:
            cells: list[Cell] = [None] * len(names)
            if was is not None:
                for place, of_key in zip(told.key_places, was, strict=True):
                    cells[place] = of_key
            was = None
        elif pg.UNCHANGED in new:
            cells = []
            for place, cell in enumerate(new):
                if cell is pg.UNCHANGED:
                    before = old[place] if old is not None and kind == "O" else pg.UNCHANGED
                    if before is pg.UNCHANGED:
                        unchanged.append(names[place])
                        before = None
                    cells.append(cast("Cell", before))
                else:
                    cells.append(cast("Cell", cell))
        else:
            cells = cast("list[Cell]", new)
        self.stage.add(segment, op, self._begun.final_lsn, self._ordinal, cells, was, unchanged)

    def _described(self, message: pg.Relation) -> Told:
        feed = self.tables.by_name.get((message.schema, message.name)) or self._feeds.get(message.id)
        if feed is None:
            return Told()
        held = self.tables.described[feed]
        if message.id != held.oid:
            self.tables.refuse_another(message, held)
            return Told()
        self._feeds[message.id] = feed
        names = tuple(column.name for column in message.columns)
        refuse_without_key(
            held.table.name, held.table.address, held.table.key, message.identity,
            [c.name for c in message.columns if c.is_key], self.where,
        )  # fmt: skip
        lacking = [name for name in held.table.key if name not in names]
        if lacking:
            raise SourceUnavailable(
                f"{self.where}: {held.table.name} has lost '{lacking[0]}', a column of its key. Name another in the "
                f"setting `key`. {AGAIN}"
            )
        if not self._skipping:
            held = self._reshaped(feed, message)
        padded = frozenset(c.name for c in message.columns if c.type_id == CHARACTER)
        segment = self.stage.segment(feed, Shape(held.table.key, names, padded))
        return Told(segment, tuple(names.index(k) for k in held.table.key))

    def _reshaped(self, feed: str, message: pg.Relation) -> Described:
        """The table as the stream describes it from here on; noted where that is new."""
        held = self.tables.described[feed]
        now, anew = self.tables.reshaped(feed, message)
        if now != held:
            self.tables.described[feed] = now
            self.pending.shapes[feed] = now
        if anew:
            self.progress.step(f"{held.table.name} is read again", detail=anew)
            self.pending.anew.add(feed)
        return now
