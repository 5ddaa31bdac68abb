"""A PostgreSQL source that is followed: a snapshot of every table, then every transaction in the order of commits.

Where the snapshot's position and the stream meet, nothing is missing and nothing counts twice: the slot's snapshot
holds exactly what was committed before the position that the stream begins at. A table that is read later than that
(a load that was broken off, a table named later, a column that came with values of its own) is put at the position
the stream has reached and then gets changes that its rows may already show. Each of them sets what the source set, in
the source's order, so behind the last change that the copy could have seen the rows are the source's again; until
then the source is not handed on.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from evervalue.core.errors import InputError, SourceUnavailable
from evervalue.core.progress import Progress
from evervalue.core.text import count
from evervalue.sources import keyed
from evervalue.sources.changes import pgoutput as pg
from evervalue.sources.changes import positions
from evervalue.sources.changes import postgres_slot as slots
from evervalue.sources.changes.copied import is_followed, refuse_twice, replace_by
from evervalue.sources.changes.positions import Position
from evervalue.sources.changes.postgres_shape import Described, follows, published
from evervalue.sources.changes.postgres_stream import Stream
from evervalue.sources.changes.stage import Cell, Segment, Shape, Stage, load, restage
from evervalue.sources.changes.wanted import Wanted
from evervalue.sources.databases.connection import Address
from evervalue.sources.databases.postgres import PostgresReader
from evervalue.sources.databases.postgres_errors import driver, refusal
from evervalue.sources.databases.reader import Range
from evervalue.sources.databases.tables import Table, refuse_clashes, with_key
from evervalue.sources.keyed import Applied, KeyedTable
from evervalue.warehouse.duckdb import Connection

EPOCH = dt.datetime(2000, 1, 1)
BATCH_ROWS = 200_000
BATCH_BYTES = 256 << 20
POLL_SECONDS = 0.2
CHARACTER = 1042
"""Type character(n), whose values the stream pads with blanks."""


@dataclass
class Pending:
    """Transactions that came whole and are not applied."""

    position: Position | None = None
    anew: set[str] = field(default_factory=set)
    """Feeds that must be read again: a change of their columns says nothing of the rows that are there."""
    shapes: dict[str, Described] = field(default_factory=dict)


class PostgresChanges:
    """One source's stream, applied to the tables of a warehouse that is given for each batch."""

    def __init__(
        self,
        source: str,
        address: Address,
        tables: Mapping[str, Wanted],
        *,
        slot: str | None = None,
        publication: str | None = None,
        temp: Path,
        progress: Progress,
        batch_rows: int = BATCH_ROWS,
    ) -> None:
        self.source = source
        self.address = address
        self.tables = dict(tables)
        self.slot = slots.slot_name(source, slot)
        self.publication = publication or self.slot
        self.progress = progress
        self.batch_rows = batch_rows
        self.stage = Stage(temp / f"stream-{source}")
        self.pending = Pending()
        self.described: dict[str, Described] = {}
        self.applied: dict[str, Applied] = {}
        """What became of each feed's changes since `open`."""
        self.stream: Stream | None = None
        self.position = Position("postgres")
        self._temp = temp
        self._sql: Any = None
        self._relations: dict[int, tuple[Segment | None, pg.Relation]] = {}
        self._feeds: dict[tuple[str, str], str] = {}
        self._begun: pg.Begin | None = None
        self._ordinal = 0
        self._skipping = False
        self._of: dict[int, str] = {}
        self.committed_at: dt.datetime | None = None

    # Opening

    def open(self, con: Connection, *, run_id: str, full_refresh: bool, commit: Callable[[], None]) -> None:
        """Bring slot, publication and every table to where the stream can be read; the stream is then open.

        `commit` is called where what was done so far may be kept: after each table that was copied. A load that keeps
        nothing before its end passes a function that does nothing.
        """
        self.described = {}
        self._sql = slots.connect(self.address)
        with slots_told(self.address):
            self._describe()
            members = slots.publish(
                self._sql,
                self.publication,
                {f: d.table.address for f, d in self.described.items()},
                self.address,
            )
            self.described = {f: replace(d, member=members[f]) for f, d in self.described.items()}
            held = positions.read(con, self.source)
            if full_refresh and held is not None:
                self._start_over(con, run_id)
                held = None
            replication = slots.connect(self.address, replication=True)
            try:
                server = slots.identify(replication, self.address)
                slot = slots.find(self._sql, self.slot, self.address.where)
                if held is not None:
                    history = self._history(replication, server, held)
                    slots.verify(slot, held, server, self.slot, self.address.where, history)
                    self.position = replace(held, timeline=server.timeline)
                    snapshot = None
                elif slot is not None and not slot.lost and not full_refresh:
                    # Made by a load that was broken off, or by an administrator for us.
                    self.position = self._new(server, slot.confirmed)
                    snapshot = None
                else:
                    if slot is not None:
                        self._drop()
                    start, snapshot = slots.create(replication, self.slot, self.address, self.address.where)
                    self.position = self._new(server, start)
                positions.write(con, self.source, self.position, run_id=run_id)
                self._copy_missing(con, run_id, snapshot, commit)
            finally:
                replication.close()
        self.stream = Stream(self.address, self.slot, self.publication, self.position.next_lsn)
        self.stream.acknowledge(self.position.next_lsn if snapshot is None and held is not None else 0)
        self._forget_unfinished()

    def close(self) -> None:
        """End the stream; the slot stays where it was acknowledged."""
        if self.stream is not None:
            self.stream.close()
            self.stream = None
        if self._sql is not None:
            with suppress(Exception):
                self._sql.close()
            self._sql = None
        self.stage.clear()

    def source_lsn(self) -> int:
        """How far the source's own log goes."""
        with slots_told(self.address):
            recovering = self._sql.execute("select pg_is_in_recovery()").fetchone()[0]
            found = self._sql.execute(
                "select pg_last_wal_replay_lsn()" if recovering else "select pg_current_wal_flush_lsn()"
            ).fetchone()[0]
        return slots.number(str(found))

    # Reading

    def read(self, *, until: int | None, seconds: float, stop: Callable[[], bool] = lambda: False) -> bool:
        """Take in whole transactions until a batch is full; whether anything is to be applied.

        Ends when the batch has its size, when `seconds` have passed and no transaction is open, when everything up to
        the position `until` has come, or when `stop` says so.
        """
        assert self.stream is not None
        end = time.monotonic() + seconds
        asked = 0.0
        while True:
            data = self.stream.message(POLL_SECONDS if self._begun is None else 1.0)
            if data is not None:
                self._take(data)
                if self._begun is not None:
                    if stop():
                        return False
                    continue
            if self.stage.rows >= self.batch_rows or self.stage.bytes >= BATCH_BYTES:
                return True
            now = time.monotonic()
            if self._begun is None:
                if until is not None and self.reached >= until:
                    return self._anything
                if now > end or stop():
                    return self._anything
            if data is None and now - asked >= POLL_SECONDS:
                self.stream.ask()
                asked = now

    @property
    def reached(self) -> int:
        """Everything before this position was sent to us, and is applied or pending."""
        assert self.stream is not None
        if self._begun is not None:
            return self.position.next_lsn
        pending = self.pending.position
        return max(self.stream.seen, pending.next_lsn if pending else self.position.next_lsn)

    @property
    def moved(self) -> bool:
        """Whether the source's log went on past what is applied, with nothing of ours in it."""
        return self._begun is None and self.reached > self.position.next_lsn

    @property
    def _anything(self) -> bool:
        return bool(self.stage.rows or self.pending.anew or self.pending.shapes or self.pending.position)

    def _take(self, data: bytes) -> None:
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
                self._skipping = final_lsn < self.position.next_lsn
            case pg.Commit(lsn, end_lsn, committed_at):
                self._begun = None
                if not self._skipping:
                    self.committed_at = EPOCH + dt.timedelta(microseconds=committed_at)
                    self.pending.position = replace(
                        self.position,
                        lsn=lsn,
                        ordinal=self._ordinal,
                        next_lsn=end_lsn,
                        committed_at=self.committed_at,
                    )
            case pg.Relation():
                self._relation(message)
            case pg.Truncate(relations, _, _):
                for relation in relations:
                    self._change(b"t", relation, None, "", None)
            case pg.Type() | pg.Origin() | pg.Message():
                pass
            case _:
                raise InputError(
                    f"{self.address.where}: the stream holds {type(message).__name__}, not asked for."
                )

    def _change(
        self, op: bytes, relation: int, old: pg.Values | None, kind: str, new: pg.Values | None
    ) -> None:
        self._ordinal += 1
        if self._skipping:
            return
        assert self._begun is not None
        known = self._relations.get(relation)
        if known is None:
            raise InputError(
                f"{self.address.where}: the stream changes a table it has not described. Run again."
            )
        segment, described = known
        if segment is None:
            return
        if segment.file is None:  # the batch it belonged to is applied
            segment = self.stage.segment(segment.feed, segment.shape)
            self._relations[relation] = (segment, described)
        shape = segment.shape
        names = shape.columns
        unchanged: list[str] = []
        was: list[Cell] | None = None
        if old is not None:
            places = self._key_places[relation]
            was = [cast("Cell", old[i]) for i in places]
        if new is None:
            cells: list[Cell] = [None] * len(names)
            if was is not None:
                for place, of_key in zip(self._key_places[relation], was, strict=True):
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

    def _relation(self, message: pg.Relation) -> None:
        feed = self._feeds.get((message.schema, message.name)) or self._of.get(message.id)
        if feed is None:
            self._relations[message.id] = (None, message)
            return
        held = self.described[feed]
        if message.id != held.oid:
            self._other_table(message, held)
            self._relations[message.id] = (None, message)
            return
        self._of[message.id] = feed
        names = tuple(column.name for column in message.columns)
        slots.refuse_without_key(
            held.table.name, held.table.key, message.identity,
            [c.name for c in message.columns if c.is_key], self.address.where,
        )  # fmt: skip
        lacking = [name for name in held.table.key if name not in names]
        if lacking:
            raise SourceUnavailable(
                f"{self.address.where}: {held.table.name} has lost '{lacking[0]}', a column of its key. Name another "
                f"in the setting `key`. {slots.AGAIN}"
            )
        if not self._skipping:
            held = self._reshaped(feed, message)
        padded = frozenset(c.name for c in message.columns if c.type_id == CHARACTER)
        self._key_places[message.id] = [names.index(k) for k in held.table.key]
        segment = self.stage.segment(feed, Shape(held.table.key, names, padded))
        self._relations[message.id] = (segment, message)

    def _other_table(self, message: pg.Relation, held: Described) -> None:
        """Nothing, where a table of the name was there before the one that is followed.

        Raises
        ------
        SourceUnavailable
            The one that is followed was replaced by it since the stream was opened.
        """
        with slots_told(self.address):
            found = self._sql.execute(
                "select n.nspname, c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace "
                "where c.oid = %s",
                [message.id],
            ).fetchone()
        if found == (held.schema, held.relation):
            raise SourceUnavailable(
                f"{self.address.where}: {held.table.name} was dropped and made anew while it was followed, so the "
                "stream broke off. Run again: the new table is read."
            )

    def _reshaped(self, feed: str, message: pg.Relation) -> Described:
        """The table as the stream describes it from here on; noted where that is new."""
        held = self.described[feed]
        with slots_told(self.address):
            now, anew = follows(held, message, self._sql, self.address.where)
        if now != held:
            self.described[feed] = now
            self.pending.shapes[feed] = now
        if anew:
            self.progress.step(f"{held.table.name} is read again", detail=anew)
            self.pending.anew.add(feed)
        return now

    # Applying

    def apply(self, con: Connection, *, run_id: str) -> dict[str, Applied]:
        """Bring what is pending into the tables; rows and position are the caller's one transaction.

        Call `done` after it.
        """
        assert self.stream is not None
        self.stage.close()
        counts: dict[str, Applied] = {}
        began = self.position
        with self.stream.busy():
            anew = set(self.pending.anew)
            for segment in self.stage.segments:
                if segment.rows:
                    made = self._apply(con, segment, run_id, began)
                    counts.setdefault(segment.feed, Applied()).add(made)
                    if made.refused and began.next_lsn >= self._agrees_from(con, segment.feed):
                        self.progress.warn(
                            f"{segment.feed}: {count(made.refused, 'change')} leave out values that are not known "
                            f"here (for example of {made.example}), so the table is read again."
                        )
                        anew.add(segment.feed)
            position = self.pending.position or self.position
            if self._begun is None and self.stream.seen > position.next_lsn:
                position = replace(position, next_lsn=self.stream.seen)
            for feed in sorted(anew):
                counts.setdefault(feed, Applied()).add(self._copy(con, feed, position.next_lsn, run_id, None))
            for feed, described in self.pending.shapes.items():
                if feed not in anew:
                    self._note(con, feed, described, run_id)
            positions.write(con, self.source, position, run_id=run_id)
        self._next = position
        for feed, made in counts.items():
            self._gather(con, feed, made)
        return counts

    def done(self, *, committed: bool) -> None:
        """The next batch may come; where what `apply` did is committed, the server may forget it."""
        assert self.stream is not None
        self.position = self._next
        if committed:
            self.stream.acknowledge(self.position.next_lsn)
        self._forget_unfinished()

    def target(self, con: Connection) -> int:
        """Where the source's log ends now, or where all tables agree with it, whichever comes later."""
        return max(self.source_lsn(), self.settled(con))

    def followed_elsewhere(self, con: Connection) -> bool:
        """Whether another process reads from the slot, and what it brought is here.

        Raises
        ------
        SourceUnavailable
            It does, and a table that it has copied does not agree with the source yet.
        """
        held = positions.read(con, self.source)
        if held is None:
            return False
        sql = slots.connect(self.address)
        try:
            with slots_told(self.address):
                slot = slots.find(sql, self.slot, self.address.where)
        finally:
            sql.close()
        if slot is None or not slot.active:
            return False
        if slot.confirmed > held.next_lsn:
            raise SourceUnavailable(
                f"{self.address.where}: somebody else reads from the replication slot '{self.slot}', which stands at "
                f"{slots.shown(slot.confirmed)}; what is stored ends at {slots.shown(held.next_lsn)}. Give every "
                f"project a slot of its own, with the setting `slot`. {slots.AGAIN}"
            )
        new = [feed for feed in self.tables if not is_followed(con, feed)]
        if new:
            raise SourceUnavailable(
                f"{self.address.where}: {new[0]} is not among the tables that are followed by the process that follows "
                "this source. End it (`evervalue sources watch`) and start it again."
            )
        if held.next_lsn < self.settled(con):
            raise SourceUnavailable(
                f"{self.address.where}: a table was just copied by the process that follows it, and the changes made "
                "meanwhile are not applied yet. Run again in a minute."
            )
        return True

    def behind(self) -> int | None:
        """Bytes of the source's log that are not applied."""
        return max(
            0, self.source_lsn() - max(self.position.next_lsn, self.reached if not self._anything else 0)
        )

    def check(self, feed: str) -> list[str]:
        """What is there of a table, in sentences, after looking."""
        reader = PostgresReader(self.address, 1)
        try:
            return reader.check(self.tables[feed].table, changes=True)
        finally:
            reader.close()

    def look_again(self) -> bool:
        """Whether a table was reshaped and not written to since, of which the stream says nothing."""
        assert self._begun is None
        reader = PostgresReader(self.address, 1)
        try:
            reader.open()
            for feed in self.tables:
                with slots_told(self.address):
                    table = published(self._look(reader, feed), self._sql, self.publication)
                    message = Described.catalog(table, self._sql).message(table)
                if message.id != self.described[feed].oid:
                    self._other_table(message, self.described[feed])
                self._reshaped(feed, message)
        finally:
            reader.close()
        return self._anything

    def acknowledge(self) -> None:
        """Tell the server, over a connection made for it, that it may forget what is committed here."""
        stream = Stream(self.address, self.slot, self.publication, self.position.next_lsn)
        try:
            stream.acknowledge(self.position.next_lsn)
            stream.message(0.2)
        finally:
            stream.close()

    def settled(self, con: Connection) -> int:
        """The position from which all tables agree with the source."""
        return max([self._agrees_from(con, feed) for feed in self.tables] or [0])

    def _forget_unfinished(self) -> None:
        self.stage.clear()
        self.pending = Pending()

    def _apply(self, con: Connection, segment: Segment, run_id: str, began: Position) -> Applied:
        described = self.described[segment.feed]
        types = {c.name: c.type for c in described.table.columns}
        staged, chosen = load(con, segment, types)
        table = KeyedTable(con, segment.feed, segment.shape.key, chosen.items())
        staged = restage(con, staged, table)
        made = table.apply(
            staged, run_id=run_id, converging=began.next_lsn < self._agrees_from(con, segment.feed)
        )
        con.execute(f"drop table {staged}")
        made.note_brought(con)
        if made.parts != made.read or made.read != segment.rows:
            raise InputError(
                f"{segment.feed}: {segment.rows:,} changes came and {made.parts:,} are accounted for. Nothing was kept."
            )
        self._register(table, described, run_id)
        return made

    def _gather(self, con: Connection, feed: str, made: Applied) -> None:
        self.applied.setdefault(feed, Applied()).add(made)

    def _register(self, table: KeyedTable, described: Described, run_id: str) -> None:
        held = {c.name: c.stored_type for c in described.table.columns}
        table.register(
            described.table.name, {n: held[n] for n in described.names if n in held}, run_id=run_id
        )

    # Copying whole tables

    def _copy_missing(
        self, con: Connection, run_id: str, snapshot: str | None, commit: Callable[[], None]
    ) -> None:
        for feed, described in self.described.items():
            held = positions.read(con, self.source, feed)
            known = Described.of(held.shape) if held and held.shape else None
            keyed.refuse_another_key(con, feed, described.table.key)
            if known is not None and is_followed(con, feed):
                if known.is_same(described):
                    self.described[feed] = known.looked_up(described.table)
                    continue
                self.progress.warn(
                    f"{feed}: the table was made anew, has other partitions, or was taken out of the publication "
                    f"{self.publication} and put back since; changes between are lost, so it is read again."
                )
            made = self._copy(con, feed, self.position.next_lsn, run_id, snapshot)
            self._gather(con, feed, made)
            self.progress.step(f"Read {described.table.name}", detail=count(made.read, "row"))
            commit()

    def _copy(self, con: Connection, feed: str, lsn: int, run_id: str, snapshot: str | None) -> Applied:
        """All rows of a table as they are now, or under the slot's snapshot, put at a position."""
        reader = PostgresReader(self.address, 1, snapshot)
        path = self._temp / f"copy-{keyed.part_id(feed)}.csv.zst"
        try:
            reader.open()
            table = published(self._look(reader, feed), self._sql, self.publication)
            self.progress.doing(f"Reading {table.name}")
            copied = reader.copy(table, Range(), path)
            agrees_from = lsn if snapshot else self.source_lsn()
            described = replace(Described.catalog(table, self._sql), member=self.described[feed].member)
            made, held = replace_by(con, feed, table, path, copied, lsn=lsn, run_id=run_id)
        finally:
            reader.close()
            path.unlink(missing_ok=True)
        if feed in self.pending.shapes or self.stream is not None:
            # The stream may still describe older columns; what it says next is held against what it said last.
            described = replace(self.described[feed], table=table)
        self.described[feed] = described
        self._register(held, described, run_id)
        self._note(con, feed, described, run_id, lsn=lsn, agrees_from=agrees_from)
        return made

    def _note(
        self,
        con: Connection,
        feed: str,
        described: Described,
        run_id: str,
        *,
        lsn: int | None = None,
        agrees_from: int = 0,
    ) -> None:
        held = positions.read(con, self.source, feed)
        at = Position("postgres", lsn=lsn or 0, next_lsn=agrees_from) if lsn is not None else held
        assert at is not None
        positions.write(con, self.source, replace(at, shape=described.dump()), run_id=run_id, feed=feed)

    def _agrees_from(self, con: Connection, feed: str) -> int:
        held = positions.read(con, self.source, feed)
        return held.next_lsn if held else 0

    # What is there

    def _describe(self) -> None:
        reader = PostgresReader(self.address, 1)
        try:
            reader.open()
            for feed in self.tables:
                table = self._look(reader, feed)
                for warning in table.warnings:
                    self.progress.warn(warning)
                described = Described.catalog(table, self._sql)
                slots.refuse_without_key(
                    table.name, table.key, described.identity, described.identity_columns, self.address.where
                )
                self.described[feed] = described
                other = self._feeds.get((described.schema, described.relation), feed)
                refuse_twice(other, feed, table.name, self.address.where)
                self._feeds[described.schema, described.relation] = feed
        finally:
            reader.close()
        self._relations = {}
        self._key_places: dict[int, list[int]] = {}
        self._begun = None

    def _look(self, reader: PostgresReader, feed: str) -> Table:
        wanted = self.tables[feed]
        table = with_key(reader.describe(wanted.table), wanted.key, self.address.where)
        refuse_clashes(table, self.address.where)
        return table

    def _new(self, server: slots.Server, start: int) -> Position:
        return Position("postgres", start, 0, start, server.system_id, server.timeline, self.slot)

    def _history(self, replication: Any, server: slots.Server, held: Position) -> str:
        if server.timeline == held.timeline:
            return ""
        (row,) = slots.command(replication, f"TIMELINE_HISTORY {server.timeline}", self.address)
        return str(row["content"])

    def _start_over(self, con: Connection, run_id: str) -> None:
        """What is stored is older than anything that comes now, also where the new stream counts from less."""
        positions.forget(con, self.source)
        for feed, described in self.described.items():
            columns = [(c.name, c.type) for c in described.table.columns]
            keyed.begin_anew(con, feed, described.table.key, columns, run_id)

    def _drop(self) -> None:
        psycopg = driver()
        try:
            self._sql.execute("select pg_drop_replication_slot(%s)", [self.slot])
        except psycopg.errors.ObjectInUse:
            raise SourceUnavailable(
                f"{self.address.where}: the replication slot '{self.slot}' is in use, so it cannot be made anew. End "
                "what reads from it (`evervalue sources watch`?) and run again."
            ) from None


class slots_told:  # noqa: N801
    """Turns errors of the client into SourceUnavailable."""

    def __init__(self, address: Address) -> None:
        self.address = address

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raise in our words."""
        if isinstance(error, driver().Error):
            raise refusal(error, self.address, "following its changes") from None
