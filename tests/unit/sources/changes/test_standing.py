"""What followers say of themselves: a word that ages is an alarm, and no good figure outlives who told it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from evervalue.core.clock import FixedClock
from evervalue.core.errors import SourceUnavailable
from evervalue.sources.changes.lag import MOST_ENDS, Gauge
from evervalue.sources.changes.positions import Position
from evervalue.sources.changes.standing import Board, Standing, read, seen, write

NOON = dt.datetime(2024, 3, 1, 12)
HOUR = 3600.0


def ago(seconds: float) -> dt.datetime:
    return NOON - dt.timedelta(seconds=seconds)


def standing(state: Any = "following", told: float = 2, **more: Any) -> Standing:
    fields: dict[str, Any] = {"since": ago(7200), "asked_at": ago(told), "behind_seconds": 0.0, **more}
    return Standing("shop", state, ago(told), **fields)


DEAD = "was followed until "
AWAY = "could not be followed for 2 minutes: no route"


@pytest.mark.parametrize(
    ("told", "more", "expected"),
    [
        (standing(), {}, ("live", 0, "ok", "is followed, and nothing waits")),
        (standing(behind_seconds=12.0), {}, ("live", 14, "ok", "is followed 14 seconds behind")),
        (
            standing(behind_seconds=HOUR), {"limit": 2 * HOUR},
            ("live", 3602, "ok", "is followed 60 minutes behind"),
        ),
        (
            standing(behind_seconds=HOUR), {"limit": HOUR},
            ("live", 3602, "alarm", "is followed 60 minutes behind: 60 minutes are the most"),
        ),
        # The process is there and its source has not been asked for long: nobody knows that nothing waits.
        (standing(asked_at=ago(600)), {}, ("live", 600, "ok", "is followed 10 minutes behind")),
        (
            standing(asked_at=None, behind_seconds=None), {},
            ("live", None, "ok", "is followed; how far behind is not known yet"),
        ),
        # It died: its last good figure dies with it.
        (standing(told=61), {"limit": 36 * HOUR}, ("silent", 61, "alarm", DEAD + "61 seconds ago: ")),
        (
            standing("retrying", says="no route", since=ago(120), asked_at=ago(130)), {},
            ("retrying", 130, "watch", AWAY),
        ),
        (
            standing("retrying", says="no route", since=ago(120), asked_at=ago(901)), {},
            ("retrying", 901, "alarm", AWAY),
        ),
        (
            standing("failed", told=9000, says="slot lost", asked_at=ago(9000)), {"limit": 36 * HOUR},
            ("failed", 9000, "alarm", "is not followed any more: slot lost"),
        ),
        (
            standing("stopped", told=600, since=ago(600), asked_at=ago(605)), {},
            ("stopped", 605, "watch", "has not been followed for 10 minutes: start it again"),
        ),
        (
            standing("stopped", told=1200, since=ago(1200), asked_at=ago(1205)), {},
            ("stopped", 1205, "alarm", "has not been followed for 20 minutes: start it again"),
        ),
        # A run brought what the one that died did not; it is meant to be followed all the same.
        (
            standing(told=7000), {"read_at": ago(100), "behind_then": 5.0},
            ("silent", 105, "alarm", DEAD + "116 minutes ago: "),
        ),
    ],
)  # fmt: skip
def test_how_a_source_stands(told: Standing, more: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = seen(told, NOON, **more)
    assert found is not None
    assert (found.followed, found.seconds, found.state) == expected[:3]
    assert found.says.startswith(expected[3])


def test_who_was_stopped_on_purpose_is_not_missed_once_runs_read_the_source() -> None:
    stopped = standing("stopped", told=7200)
    assert seen(stopped, NOON, read_at=ago(7300), behind_then=0.0) is not None
    assert seen(stopped, NOON, read_at=ago(100), behind_then=0.0) is None
    silent = standing(told=7200)
    assert seen(silent, NOON, read_at=ago(100), behind_then=0.0) is not None
    assert seen(silent, NOON, read_at=ago(100), behind_then=None) is None, "read in another way since"


def test_the_word_is_written_whole_and_what_is_no_word_is_passed_over(tmp_path: Path) -> None:
    told = standing(says="ü", behind_bytes=7)
    write(tmp_path / "following", told)
    assert read(tmp_path / "following") == {"shop": told}
    (tmp_path / "following" / "crm.json").write_text("{", "utf-8")
    (tmp_path / "following" / "erp.json").write_text(json.dumps({"system": "erp"}), "utf-8")
    assert read(tmp_path / "following") == {"shop": told}
    assert read(tmp_path / "none") == {}
    assert [path.name for path in (tmp_path / "following").glob("*.partial")] == []


def test_a_board_says_how_its_followers_ended(tmp_path: Path) -> None:
    clock = FixedClock(NOON.replace(tzinfo=dt.UTC))
    board = Board(tmp_path, ["shop", "erp"], clock)
    board.note("shop", asked_at=NOON, behind_seconds=3.0)
    clock.at += dt.timedelta(seconds=5)
    board.beat()
    shop = read(tmp_path)["shop"]
    assert (shop.told_at, shop.since, shop.behind_seconds) == (NOON + dt.timedelta(seconds=5), NOON, 3.0)
    board.end({"erp": SourceUnavailable("the slot is lost")})
    assert {name: (one.state, one.says) for name, one in read(tmp_path).items()} == {
        "erp": ("failed", "the slot is lost"), "shop": ("failed", "it ended with the one of erp"),
    }  # fmt: skip
    again = Board(tmp_path, ["shop"], clock)
    assert read(tmp_path)["shop"].behind_seconds == 3.0, "known until its source is asked again"
    again.end({"shop": ValueError("a cell of somebody")})
    assert read(tmp_path)["shop"].says == "a fault (ValueError)"
    Board(tmp_path, ["shop"], clock).end({})
    assert read(tmp_path)["shop"].state == "stopped"


def test_a_source_that_rests_is_not_as_far_behind_as_its_last_transaction_is_old() -> None:
    gauge, applied = Gauge(), Position("postgres", next_lsn=100, committed_at=ago(5 * HOUR))
    assert gauge.look(100, ago(10), 100, applied).seconds == 0
    # Its log goes on with what is none of ours, or not known to be.
    assert gauge.look(140, NOON, 100, applied).seconds == 10
    assert gauge.look(150, NOON, 120, applied).seconds == 10
    assert gauge.look(150, NOON, 140, applied).bytes == 10
    assert gauge.look(160, NOON, 150, applied).seconds == 0, "what it was at noon is applied"


def test_how_far_behind_is_told_by_what_is_known() -> None:
    assert Gauge().look(9, NOON, 5, Position("postgres")).seconds is None
    assert Gauge().look(9, NOON, 5, Position("postgres", committed_at=ago(60))).seconds == 60
    held = Position("postgres", committed_at=ago(60), current_to=ago(20))
    assert Gauge().look(9, NOON, 5, held).seconds == 20
    assert Gauge().look(9, ago(90), 5, held).seconds == 0, "a clock that was set back"
    next_file = Gauge().look(2 << 32 | 4, NOON, 1 << 32 | 90, Position("binlog", committed_at=ago(3)))
    assert (next_file.bytes, next_file.seconds) == (None, 3)


def test_many_ends_that_wait_are_kept_in_bounded_room() -> None:
    gauge, position = Gauge(), Position("postgres", committed_at=ago(5000))
    for second in range(2000):
        gauge.look(1000 + second, ago(2000 - second), 10, position)
    assert len(gauge._ends) <= MOST_ENDS
    behind = gauge.look(5000, NOON, 2000, position)
    assert behind.seconds is not None
    assert 1000 <= behind.seconds <= 1100, "told less exactly, and never too little"
