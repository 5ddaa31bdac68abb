"""Which reports were sent: each falls due once, whoever looks first sends it."""

from __future__ import annotations

from evervalue.core.clock import Clock
from evervalue.state.store import Row, Schema, Store, stamp

MOST_TRIES = 5


class Sent:
    """What became of every report that fell due."""

    SCHEMA = Schema(
        "sent",
        (
            """create table sent (
  report text not null,
  due_at text not null,
  state text not null check (state in ('begun', 'sent', 'failed', 'skipped')),
  tries integer not null,
  changed_at text not null,
  says text not null,
  primary key (report, due_at)
) strict;""",
        ),
    )

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def claim(self, report: str, due_at: str, *, stuck_before: str) -> bool:
        """Whether whoever asks is to send it now.

        A report that was never looked at begins with the next time it falls due. One that failed is tried again, and so
        is one that was begun before `stuck_before` and never ended: its process died.
        """
        now = stamp(self._clock.now())
        with self._store.write() as change:
            if change.row("select 1 as n from sent where report = ?", report) is None:
                change.run("insert into sent values (?, ?, 'skipped', 0, ?, '')", report, due_at, now)
                return False
            found = change.row("select * from sent where report = ? and due_at = ?", report, due_at)
            if found is None:
                change.run("insert into sent values (?, ?, 'begun', 1, ?, '')", report, due_at, now)
                return True
            is_stuck = found["state"] == "begun" and found["changed_at"] < stuck_before
            if (found["state"] == "failed" or is_stuck) and found["tries"] < MOST_TRIES:
                change.run(
                    "update sent set state = 'begun', tries = tries + 1, changed_at = ? "
                    "where report = ? and due_at = ?",
                    now, report, due_at,
                )  # fmt: skip
                return True
            return False

    def is_open(self, report: str, due_at: str) -> bool:
        """Whether there is something to claim; to be asked often."""
        with self._store.read() as asked:
            found = asked.row("select state, tries from sent where report = ? and due_at = ?", report, due_at)
        return found is None or (found["state"] in ("begun", "failed") and found["tries"] < MOST_TRIES)

    def ended(self, report: str, due_at: str, *, fault: str = "") -> None:
        """Notes what became of one that was claimed."""
        state = "failed" if fault else "sent"
        with self._store.write() as change:
            change.run(
                "update sent set state = ?, says = ?, changed_at = ? where report = ? and due_at = ?",
                state, fault, stamp(self._clock.now()), report, due_at,
            )  # fmt: skip

    def latest(self) -> list[Row]:
        """What became of the latest of each report."""
        with self._store.read() as asked:
            return asked.rows(
                "select * from sent as s where due_at = (select max(due_at) from sent as o where o.report = s.report) "
                "order by report"
            )
