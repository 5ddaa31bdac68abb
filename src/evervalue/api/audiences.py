"""Audiences over the newest run: who is in one now, who joined and who left since it was last exported."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from evervalue.api.errors import BadRequest, NotFound
from evervalue.api.queries.customers import COLUMNS, DEFAULT_SORT, TABLE, CustomerFilters
from evervalue.api.snapshots import Reading, Statement
from evervalue.state.audiences import Audience, Audiences, Export

Part = Literal["all", "joined", "left"]
PARTS: tuple[Part, ...] = ("all", "joined", "left")
KEPT_DIFFS = 200
EXPORTED = "(select unnest(from_json($exported, '[\"VARCHAR\"]')))"
TRIES = 3


@dataclass(frozen=True)
class Diff:
    """How many an audience has now, and how that differs from its last export."""

    customers: int
    joined: int
    left: int


@dataclass(frozen=True)
class Now:
    """An audience as the run has it."""

    audience: Audience
    filters: CustomerFilters | None
    """None where this version does not know a filter that it was saved with."""
    last: Export | None
    diff: Diff | None
    """None where the filters are not known; without an export before, everybody has joined."""


class Desk:
    """Answers about audiences; counts that hold for a run and an export are made once."""

    def __init__(self, kept: Audiences) -> None:
        self.kept = kept
        self._diffs: OrderedDict[tuple[str, ...], Diff] = OrderedDict()
        self._lock = threading.Lock()

    def now(self, reading: Reading, audience: Audience, last: Export | None) -> Now:
        """The audience as the run has it."""
        filters = filters_of(audience)
        if filters is None:
            return Now(audience, None, last, None)
        key = (reading.run_id, audience.id, str(last.number if last else 0))
        with self._lock:
            found = self._diffs.get(key)
        if found is None:
            found = self._diff(reading, audience, filters, last)
            with self._lock:
                self._diffs[key] = found
                while len(self._diffs) > KEPT_DIFFS:
                    self._diffs.popitem(last=False)
        return Now(audience, filters, last, found)

    def all(self, reading: Reading) -> list[Now]:
        """Every audience as the run has it."""
        last = self.kept.last_exports()
        return [self.now(reading, one, last.get(one.id)) for one in self.kept.all()]

    def one(self, audience_id: str) -> Audience:
        """An audience.

        Raises
        ------
        NotFound
            There is none of that key.
        """
        found = self.kept.one(audience_id)
        if found is None:
            raise NotFound(f"There is no audience '{audience_id[:40]}'. It may have been deleted.")
        return found

    def members(self, audience: Audience, part: Part) -> Statement:
        """Who is in an audience now, who joined since its last export, or who left it since."""
        filters = known_filters(audience)
        if part == "all":
            return filters.query().everything(DEFAULT_SORT)
        last = self.kept.last_exports().get(audience.id)
        exported = self._keys(audience, last)
        return joined(filters, exported) if part == "joined" else left(filters, exported)

    def export(self, reading: Reading, audience: Audience, who: str) -> Export:
        """Keeps an export of who is in the audience now.

        Raises
        ------
        BadRequest
            Its filters are not known, or others export it at the same moment again and again.
        """
        filters = known_filters(audience)
        for _ in range(TRIES):
            last = self.kept.last_exports().get(audience.id)
            keys = _keys_of(reading, filters)
            before = set(_parsed(self._keys(audience, last)))
            now = set(keys)
            made = self.kept.exported(
                audience, who=who, run_id=reading.run_id, keys=keys, after=last.number if last else 0,
                joined=len(now - before), left=len(before - now),
            )  # fmt: skip
            if made is not None:
                return made
        raise BadRequest("Somebody else exports this audience at the same moment. Try again.")

    def exported(self, audience: Audience, number: int, part: Part) -> Statement:
        """The customers of an export as the newest run has them; of who is there no more, the key alone.

        `joined` and `left` compare it with the export before it.

        Raises
        ------
        NotFound
            There is no such export, or its keys were let go.
        """
        keys = self.kept.keys(audience.id, number)
        if keys is None:
            raise NotFound(
                f"The audience “{audience.name}” has no export {number} whose customers are still kept."
            )
        if part == "all":
            return _of_keys("$exported", {"exported": keys})
        before = self.kept.keys(audience.id, number - 1) if number > 1 else "[]"
        if before is None:
            raise NotFound(
                f"The customers of export {number - 1} of “{audience.name}” are no longer kept, so nobody "
                "can say who joined or left."
            )
        now, then = ("$exported", "$before") if part == "joined" else ("$before", "$exported")
        return _of_keys(now, {"exported": keys, "before": before}, without=then)

    def _diff(
        self, reading: Reading, audience: Audience, filters: CustomerFilters, last: Export | None
    ) -> Diff:
        total = filters.query().total(reading)
        if last is None:
            return Diff(total, total, 0)
        if last.run_id == reading.run_id:  # an audience is what it was as long as its run is
            return Diff(total, 0, 0)
        if not last.has_keys:
            return Diff(total, total, 0)
        exported = self._keys(audience, last)
        came = joined(filters, exported)
        sql = f"select count(*) as n from ({came.sql})"
        new = int(reading.result(Statement(sql, came.parameters), keep=False).rows[0][0])
        return Diff(total, new, last.customers - (total - new))

    def _keys(self, audience: Audience, last: Export | None) -> str:
        return (self.kept.keys(audience.id, last.number) if last else None) or "[]"


def filters_of(audience: Audience) -> CustomerFilters | None:
    """The filters of an audience; None where this version does not know one of them."""
    try:
        return CustomerFilters.model_validate(audience.filter)
    except ValidationError:
        return None


def known_filters(audience: Audience) -> CustomerFilters:
    """The filters of an audience.

    Raises
    ------
    BadRequest
        This version does not know one of them.
    """
    found = filters_of(audience)
    if found is None:
        raise BadRequest(
            f"The audience “{audience.name}” was saved with a filter that this version does not know. Save it anew."
        )
    return found


def as_kept(filters: CustomerFilters) -> dict[str, Any]:
    """Filters as they are kept: those that are set."""
    names = set(CustomerFilters.model_fields)
    return filters.model_dump(mode="json", exclude_defaults=True, include=names)


def joined(filters: CustomerFilters, exported: str) -> Statement:
    """Who is in the audience and is not among the exported."""
    all_of_them = filters.query().everything(DEFAULT_SORT)
    sql = f"select * from (\n{all_of_them.sql}\n) where customer_id not in {EXPORTED}"
    return Statement(sql, {**all_of_them.parameters, "exported": exported})


def left(filters: CustomerFilters, exported: str) -> Statement:
    """Who is among the exported and not in the audience."""
    all_of_them = filters.query().everything(DEFAULT_SORT)
    within = f"(select customer_id from (\n{all_of_them.sql}\n))"
    found = _of_keys("$exported", {"exported": exported})
    sql = f"select * from (\n{found.sql}\n) where customer_id not in {within}"
    return Statement(sql, {**all_of_them.parameters, "exported": exported})


def told(statement: Statement) -> Statement:
    """A statement as it is shown: keys of exported customers are no part of what an answer says about itself."""
    shown = {
        name: "[keys of exported customers]" if name in ("exported", "before") else value
        for name, value in statement.parameters.items()
    }
    return Statement(statement.sql, shown)


def _of_keys(name: str, parameters: dict[str, Any], without: str = "") -> Statement:
    columns = ", ".join("e.customer_id" if c == "customer_id" else f"c.{c}" for c in COLUMNS)
    sql = f"""select {columns}
from (select unnest(from_json({name}, '["VARCHAR"]')) as customer_id) as e
left join {TABLE} as c on c.customer_id = e.customer_id"""
    if without:
        sql += f"\nwhere e.customer_id not in (select unnest(from_json({without}, '[\"VARCHAR\"]')))"
    return Statement(sql + "\norder by c.list_position nulls last, e.customer_id", parameters)


def _keys_of(reading: Reading, filters: CustomerFilters) -> list[str]:
    query = filters.query()
    everything = query.everything(DEFAULT_SORT)
    sql = f"select customer_id from (\n{everything.sql}\n) order by customer_id"
    found = reading.stream(Statement(sql, everything.parameters))
    next(found)
    return [str(row[0]) for piece in found for row in piece]


def _parsed(keys: str) -> list[str]:
    return list(json.loads(keys))
