"""`evervalue sources list` and `doctor` over followed sources: how far behind they are, as of now."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from evervalue.cli.tell_sources import Lags, tell_sources
from evervalue.core.clock import FixedClock
from evervalue.pipeline.doctor import examine
from evervalue.sources.changes.watch import Lag
from evervalue.warehouse.publish import Publisher, Snapshot
from tests.support.watched import LAST, followed_data, say


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The followed shop, half an hour after its run."""
    ignored = shutil.ignore_patterns("following")
    copy = Path(shutil.copytree(followed_data().parent, tmp_path / "shop", ignore=ignored))
    told = LAST + dt.timedelta(minutes=30)
    data = copy / followed_data().name
    say(data, "shop", told=told)
    say(data, "market", told=told - dt.timedelta(seconds=90), behind_seconds=5.0)
    say(data, "erp", "failed", told=told - dt.timedelta(seconds=90), says="the slot was dropped")
    return copy


CLOCK = FixedClock(LAST + dt.timedelta(minutes=30))


def test_list_tells_how_far_behind_each_source_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = folder / followed_data().name
    snapshot = Publisher(data).current().open()
    try:
        tell_sources(snapshot, data, CLOCK)
    finally:
        snapshot.close()
    said = capsys.readouterr()
    lines = {line.split()[0]: line for line in said.out.splitlines() if line.strip()}
    assert "behind" in lines["source"]
    assert "nothing waits" in lines["shop"]
    assert "95 seconds" in lines["market"]
    assert "✗ alarm" in lines["market"]
    assert "70 minutes" in lines["returns.lines"]
    warned = " ".join(said.err.split())
    assert "erp.customers is not followed any more: the slot was dropped" in warned
    assert "market was followed until 90 seconds ago: its follower says nothing since" in warned


def test_doctor_tells_who_is_not_followed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Snapshot, "verify", lambda self: None
    )  # what databases would note was written into it
    found = {one.what: one for one in examine(folder, CLOCK) if one.what.endswith("is followed")}
    assert {name: one.fine for name, one in found.items()} == {
        "shop is followed": True, "market is followed": False, "erp.customers is followed": False,
    }  # fmt: skip
    assert found["shop is followed"].says == "is followed, and nothing waits"


def test_watch_tells_of_batches_and_now_and_then_of_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    lags = Lags()
    lags(Lag("shop", 1, 4_096, 75.0))
    for _ in range(13):
        lags(Lag("shop", 0, 0, 0.0))
    assert capsys.readouterr().out.splitlines() == [
        "shop: 1 change applied; 75 seconds behind (4,096 bytes of its log)",
        *["shop: 0 changes applied; nothing waits"] * 3,
    ]
