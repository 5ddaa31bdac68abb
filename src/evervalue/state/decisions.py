"""What people decided about recommended actions: a log that only grows, and the newest word of it.

A decision is about one customer and one reason. It holds over runs: whoever is in the queue again for the same reason
is shown with what was decided, and who comes back for another reason is open again.
"""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass
from typing import Literal, get_args

from evervalue.core.clock import Clock
from evervalue.state.store import Row, Schema, Store, stamp

Choice = Literal["assign", "done", "snooze", "decline", "reopen"]
Status = Literal["open", "assigned", "snoozed", "done", "declined"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
STATUS: dict[str, Status] = {
    "assign": "assigned",
    "done": "done",
    "snooze": "snoozed",
    "decline": "declined",
    "reopen": "open",
}
MOST_NOTE = 2000
SCHEMA = Schema(
    "decisions",
    (
        """create table decision (
  id integer primary key,
  customer_id text not null,
  reason text not null,
  choice text not null check (choice in ('assign', 'done', 'snooze', 'decline', 'reopen')),
  assignee text not null,
  until text not null,
  note text not null,
  who text not null,
  at text not null,
  run_id text not null
) strict;
create index decision_customer on decision (customer_id, id);""",
    ),
)


@dataclass(frozen=True)
class Standing:
    """What holds now for one customer and one reason."""

    customer_id: str
    reason: str
    status: Status
    assignee: str
    until: str
    """The day on which a snoozed action is open again; empty for others."""
    note: str
    who: str
    at: str

    def on(self, day: dt.date) -> Standing:
        """What holds on a day: what was snoozed until then is open, or with whom it was."""
        if self.status != "snoozed" or dt.date.fromisoformat(self.until) > day:
            return self
        status: Status = "assigned" if self.assignee else "open"
        return Standing(
            self.customer_id, self.reason, status, self.assignee, "", self.note, self.who, self.at
        )


class Decisions:
    """The decisions of a project."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[int, dict[tuple[str, str], Standing]] = (0, {})

    def decide(
        self,
        customer_id: str,
        reason: str,
        choice: Choice,
        *,
        who: str,
        run_id: str,
        assignee: str = "",
        until: dt.date | None = None,
        note: str = "",
    ) -> Row:
        """Keeps a decision; the row as it is kept.

        Parameters
        ----------
        customer_id, reason
            What it is about.
        choice
            What is to happen.
        who
            Who decides.
        run_id
            The run whose queue they looked at.
        assignee
            With `assign`: who is to do it.
        until
            With `snooze`: the day on which it is open again.
        note
            What else is to be known.
        """
        row: Row = {
            "customer_id": customer_id,
            "reason": reason,
            "choice": choice,
            "assignee": assignee,
            "until": until.isoformat() if until else "",
            "note": note,
            "who": who,
            "at": stamp(self._clock.now()),
            "run_id": run_id,
        }
        with self._store.write() as change:
            change.run(
                f"insert into decision ({', '.join(row)}) values ({', '.join('?' * len(row))})", *row.values()
            )
            found = change.row("select max(id) as id from decision")
        return {"id": found["id"] if found else 0, **row}

    def today(self) -> dt.date:
        """The day by which snoozed actions are judged, in UTC."""
        return self._clock.now().astimezone(dt.UTC).date()

    def version(self) -> str:
        """A text that changes with every decision and, for what is snoozed, with the day."""
        return f"{self._read()[0]} {self.today()}"

    def standing(self) -> list[Standing]:
        """What holds today, one entry a customer and reason about which anything was decided."""
        today = self.today()
        return [one.on(today) for one in self._read()[1].values()]

    def log(self, *, customer_id: str | None = None, limit: int = 50) -> list[Row]:
        """The newest decisions, of all or of one customer, the newest first."""
        where, values = ("where customer_id = ? ", (customer_id,)) if customer_id is not None else ("", ())
        with self._store.read() as asked:
            return asked.rows(f"select * from decision {where}order by id desc limit ?", *values, limit)

    def assignees(self) -> list[str]:
        """Everybody who was ever given something to do."""
        return sorted({one.assignee for one in self._read()[1].values() if one.assignee})

    def _read(self) -> tuple[int, dict[tuple[str, str], Standing]]:
        """The newest decision's number and what the log comes to; only what is new is read."""
        with self._lock:
            last, known = self._known
            with self._store.read() as asked:
                news = asked.rows("select * from decision where id > ? order by id", last)
            if news:
                known = dict(known)
                for row in news:
                    _follow(known, row)
                self._known = (int(news[-1]["id"]), known)
            return self._known


def _follow(known: dict[tuple[str, str], Standing], row: Row) -> None:
    """The newest word holds; who an action was given to stays, until somebody else gets it or it is opened again."""
    key = row["customer_id"], row["reason"]
    before = known.get(key)
    kept = before.assignee if before is not None and row["choice"] != "reopen" else ""
    known[key] = Standing(
        *key,
        STATUS[row["choice"]],
        row["assignee"] if row["choice"] == "assign" else kept,
        row["until"],
        row["note"],
        row["who"],
        row["at"],
    )
