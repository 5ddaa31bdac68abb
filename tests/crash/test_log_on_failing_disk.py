"""The event log on a disk that is full, breaks, tears writes, and loses at a power cut whatever was not synced.

A process that is killed leaves its writes with the system, so it does not test that anything waits for the disk; here
the disk itself is made of tests (`tests/support/faulty_disk.py`) and put under the code that runs in production.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from evervalue.collector import log_schema
from evervalue.collector.log import LOG, EventLog
from evervalue.core.errors import StorageError
from tests.crash.log_ledger import Ledger
from tests.support.collecting import collecting
from tests.support.faulty_disk import FAULTS, Disk

PAGES = 12
"""So small that the write-ahead log is carried over every few commits, and begun anew."""


class Cuts:
    """Takes pictures of what power cuts would leave, and checks each with a ledger of that instant."""

    def __init__(self, folder: Path, disk: Disk, ledger: Ledger, each: float, seed: int) -> None:
        self.folder, self.disk, self.ledger, self.each = folder, disk, ledger, each
        self.chance = random.Random(seed)
        self.taken: list[tuple[Path, Ledger]] = []
        disk.watch = self.perhaps

    def perhaps(self) -> None:
        if self.chance.random() < self.each:
            at = self.folder / f"cut-{len(self.taken)}"
            self.taken.append((self.disk.after_a_cut(at), self.ledger.copy()))

    def check(self) -> int:
        for folder, ledger in self.taken:
            ledger.check(folder)
        return len(self.taken)


def run(disk: Disk, folder: Path, ledger: Ledger, writes: int, seed: int) -> None:
    """Write, beside somebody who reads now and then; let bodies go, close and open now and then."""
    chance = random.Random(seed)
    path = folder / LOG
    opened: Callable[[], apsw.Connection] = lambda: disk.con(path, PAGES)  # noqa: E731
    log, reader = EventLog(path, opened), EventLog(path, opened)
    for _ in range(writes):
        assert ledger.write(log, [ledger.delivery(chance) for _ in range(chance.choice((1, 1, 3)))])
        if chance.random() < 0.3:
            reader.tallies()  # opened again: the write-ahead log stays while somebody reads
        if chance.random() < 0.2:
            ledger.let_go(log, chance)
        if chance.random() < 0.1:
            reader.close()
        if chance.random() < 0.1:
            log.close()
    log.close()
    reader.close()


def power_cuts(tmp_path: Path, rounds: int, seed: int, each: float = 0.02) -> int:
    """How many power cuts were checked. Each round begins with what one of the round before left."""
    done, chance = 0, random.Random(seed)
    folder, ledger = tmp_path / "first", Ledger()
    folder.mkdir()
    for n in range(rounds):
        disk = Disk(seed + n)
        cuts = Cuts(tmp_path / f"round-{n}", disk, ledger, each, seed + n)
        run(disk, folder, ledger, 12, seed + n)
        done += cuts.check()
        ledger.check(folder)
        if cuts.taken:
            picture, ledger = chance.choice(cuts.taken)
            folder = tmp_path / f"next-{n}"
            picture.rename(folder)
    return done


def test_a_power_cut_takes_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    assert power_cuts(tmp_path, 4, 1, 0.005) > 24


@pytest.mark.slow
def test_hundreds_of_power_cuts_take_nothing_that_was_acknowledged(tmp_path: Path, full_proof: bool) -> None:
    done = power_cuts(tmp_path, 100 if full_proof else 10, 1000)
    print({"power cuts": done})
    assert done > 500


@pytest.mark.parametrize("synchronous", ["off", "normal"])
def test_a_log_that_does_not_wait_for_the_disk_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synchronous: str
) -> None:
    monkeypatch.setattr(log_schema, "SYNCHRONOUS", synchronous)
    with pytest.raises((AssertionError, StorageError), match=r"acknowledged events are lost|malformed"):
        power_cuts(tmp_path, 6, 1)


def test_a_journal_that_comes_back_from_the_dead_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With "full" the journal is deleted without a word to the folder, and would undo all that came since."""
    monkeypatch.setattr(log_schema, "SYNCHRONOUS", "full")
    with pytest.raises((AssertionError, StorageError), match=r"acknowledged events are lost|malformed"):
        power_cuts(tmp_path, 6, 1)


def scripted(disk: Disk, folder: Path) -> Ledger:
    """A few deliveries, each sent until it is acknowledged; the file is made, carried over and closed meanwhile."""
    ledger, chance, path = Ledger(), random.Random(3), folder / LOG
    log: EventLog | None = None
    for n in range(5):
        one = ledger.delivery(chance, most=2)
        for _ in range(3):
            try:
                log = log or EventLog(path, lambda: disk.con(path, 4))
            except StorageError:
                continue
            if ledger.write(log, [one]):
                break
        else:
            raise AssertionError("A disk that failed once is still refused at the third try.")
        if n == 2 and log is not None:
            log.close()
    if log is not None:
        log.close()
    return ledger


def each_step_fails(tmp_path: Path, every: int) -> int:
    """How many faults were tried: each kind at each step of the script, or at every n-th alone."""
    whole = Disk()
    (tmp_path / "whole").mkdir()
    scripted(whole, tmp_path / "whole").check(tmp_path / "whole")
    done = 0
    for n, kind in enumerate(whole.steps, 1):
        for fault in FAULTS[kind]:
            done += 1
            if done % every:
                continue
            disk = Disk(done)
            disk.fails_at = {n: fault}
            folder = tmp_path / f"{n}-{kind}-{fault}"
            folder.mkdir()
            ledger = scripted(disk, folder)
            ledger.check(disk.after_a_cut(folder / "cut"))
            ledger.check(folder)
            assert not disk.fails_at  # it did fail
    return done // every


def test_what_was_acknowledged_outlives_a_disk_that_fails_once(tmp_path: Path) -> None:
    assert each_step_fails(tmp_path, 12) > 15


@pytest.mark.slow
def test_what_was_acknowledged_outlives_a_failure_of_each_write_and_each_sync(tmp_path: Path) -> None:
    tried = each_step_fails(tmp_path, 1)
    print({"faults": tried})
    assert tried > 300


PAGE = {"type": "page", "userId": "ann", "name": "x" * 500}


@pytest.mark.parametrize(
    "failing",
    [{"write": "full"}, {"write": "broken"}, {"write": "torn"}, {"sync": "broken"}],
    ids=["full", "write", "torn", "sync"],
)
def test_a_running_collector_refuses_while_the_disk_fails_and_goes_on_afterwards(
    tmp_path: Path, failing: dict[str, str]
) -> None:
    disk, path = Disk(5), tmp_path / LOG
    with collecting(tmp_path, open_log=lambda: EventLog(path, lambda: disk.con(path, 4))) as web:
        ids = [f"m{n}" for n in range(9)]
        for name in ids[:3]:
            assert web.send("/v1/page", {**PAGE, "messageId": name}).status == 200
        disk.failing = failing
        for name in ids[3:6]:
            answer = web.send("/v1/page", {**PAGE, "messageId": name})
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert web.send("/healthz", method="GET").status == 200
        disk.failing = {}
        for name in ids:
            assert web.send("/v1/page", {**PAGE, "messageId": name}).status == 200
        assert 'outcome="stored"} 9' in web.send("/metrics", method="GET").body
    for folder in (tmp_path, disk.after_a_cut(tmp_path / "cut")):
        log = EventLog(folder / LOG)
        assert sorted(event.message_id for event in log.of("web", 0, 100)) == ids
        (tally,) = log.tallies()
        assert (tally.accepted, tally.stored) == (tally.stored + tally.duplicate, 9)
        log.close()
