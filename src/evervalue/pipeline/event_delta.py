"""Which visitors have something new, so that the events and sessions of all others are taken over from the run before.

Events only ever come: what is new stands behind the last place in the log that the run before saw. A visitor's events
hang on one another (sessions are counted from the first, and a name that comes late belongs to what came before), so
all events of whoever has a new one are made anew: of every name that the visitor goes by, in whichever source.
"""

from __future__ import annotations

from evervalue.pipeline.unchanged import Unchanged
from evervalue.warehouse.delta import BEFORE, NAMES, VISITORS
from evervalue.warehouse.duckdb import Connection

TABLES = ("curated.events", "customers.sessions")
MOST = 0.2
"""Share of events above which it is quicker to make all anew."""
WHO = "coalesce(user_id, anonymous_id)"


class EventDelta:
    """What changed in events since the run before."""

    def __init__(self, con: Connection, unchanged: Unchanged) -> None:
        self.con = con
        self.unchanged = unchanged
        self.known = False
        """Whether the names of visitors with something new are there."""

    def serves(self, table: str) -> bool:
        """Whether a table can be built from the one of the run before; if so, who has something new is known."""
        if table == TABLES[0]:
            self.known = "run.source_settings" in self.unchanged and self._same_clock() and self._names()
            return self.known
        if self.known:
            # Who was made anew may be called otherwise now; both are needed: one to take out, one to put in.
            whose = (
                f"select distinct visitor_id from {{}}curated.events where (source, {WHO}) in (from {NAMES})"
            )
            both = " union ".join(whose.format(where) for where in ("", f"{BEFORE}."))
            self.con.execute(f"create or replace temp table {VISITORS} as {both}")
        return self.known

    def _same_clock(self) -> bool:
        """Whether days and sessions begin when they began before."""
        wanted = "select time_zone, session_minutes from {}run.settings"
        now, then = (self.con.execute(wanted.format(where)).fetchone() for where in ("", f"{BEFORE}."))
        return now == then

    def _names(self) -> bool:
        """Fill the names under which whoever has something new was ever seen; False where that is too many."""
        con = self.con
        con.execute(
            f"""
            create or replace temp table event_spaces as
            select distinct system as source, customer_keys as namespace from run.source_settings;

            create or replace temp table event_news as
            select e.source, e.user_id, e.anonymous_id, e.previous_id
            from mapped.events as e
            left join (select source, max(seq) as seq from {BEFORE}.curated.events group by source) as b using (source)
            where e.seq > coalesce(b.seq, 0);
            """
        )
        counted = con.execute(
            f"select (select count(*) from event_news), (select count(*) from {BEFORE}.curated.events), "
            "(select count(*) from mapped.events)"
        ).fetchone() or (0, 0, 0)
        new, before, now = (int(n) for n in counted)
        if new + before != now or new > MOST * now:
            return False
        con.execute(
            """
            create or replace temp table event_pairs as
            select distinct s.namespace, e.anonymous_id as key, e.user_id as known_as
            from mapped.events as e join event_spaces as s using (source)
            where e.anonymous_id is not null and e.user_id is not null
            union
            select s.namespace, e.previous_id, e.user_id
            from mapped.events as e join event_spaces as s using (source)
            where e.type = 'alias' and e.previous_id is not null and e.user_id is not null;

            create or replace temp table event_keys as
            select s.namespace, unnest([n.user_id, n.anonymous_id, n.previous_id]) as key
            from event_news as n join event_spaces as s using (source);
            """
        )
        if "identity.registry" not in self.unchanged:
            row = "select namespace, customer_key, customer_id from {}identity.registry where is_present"
            now_, then = row.format(""), row.format(f"{BEFORE}.")
            con.execute(
                f"insert into event_keys select namespace, customer_key from (({now_} except {then}) union "
                f"({then} except {now_}))"
            )
        con.execute(
            "create or replace temp table event_names as select distinct * from event_keys where key is not null"
        )
        if not self._close():
            return False
        con.execute(
            f"create or replace temp table {NAMES} as select s.source, n.key as who "
            "from event_names as n join event_spaces as s using (namespace)"
        )
        return True

    def _close(self) -> bool:
        """Add to the names all that go with them, until there is none left; False where they become too many."""
        con = self.con
        customers = " union ".join(
            f"""
            select b.namespace, b.customer_key from {where}identity.registry as a
            join event_names as n on n.namespace = a.namespace and n.key = a.customer_key
            join {where}identity.registry as b on b.customer_id = a.customer_id
            where a.is_present and b.is_present
            """
            for where in ("", f"{BEFORE}.")
        )
        visitors = f"select {MOST} * count(*) from {BEFORE}.customers.sessions where session_number = 1"
        (most,) = con.execute(visitors).fetchone() or (0,)
        size = -1
        while True:
            (n,) = con.execute("select count(*) from event_names").fetchone() or (0,)
            if n == size:
                return True
            if n > max(most, 1000):
                return False
            size = n
            con.execute(
                f"""
                create or replace temp table event_names as
                select namespace, key from event_names
                union
                select p.namespace, p.known_as from event_pairs as p semi join event_names as n
                    on n.namespace = p.namespace and n.key = p.key
                union
                select p.namespace, p.key from event_pairs as p semi join event_names as n
                    on n.namespace = p.namespace and n.key = p.known_as
                union
                {customers}
                """
            )
