"""Audiences: names are taken once, exports keep their keys, and two exports at once do not both count."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from evervalue.core.clock import FixedClock
from evervalue.state import audiences
from evervalue.state.audiences import SCHEMA, Audiences, NameTaken
from evervalue.state.store import Store


@pytest.fixture
def kept(tmp_path: Path) -> Audiences:
    return Audiences(Store(tmp_path, SCHEMA), FixedClock(dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)))


def test_a_name_is_taken_once_whatever_its_case(kept: Audiences) -> None:
    made = kept.save("EMEA", "Bo", {"region": ["EMEA"]})
    assert kept.all() == [made]
    assert kept.one(made.id) == made
    with pytest.raises(NameTaken, match="“emea” already"):
        kept.save("emea", "Ada", {})
    assert kept.delete(made.id)
    assert not kept.delete(made.id)
    kept.save("emea", "Ada", {})


def test_exports_keep_their_keys_until_they_are_old(kept: Audiences, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiences, "KEPT_EXPORTS", 2)
    made = kept.save("EMEA", "Bo", {})
    for number in range(3):
        exported = kept.exported(
            made, who="Bo", run_id="r", keys=["a\nb", '"', f"k{number}"], after=number, joined=1, left=1
        )
        assert exported is not None
    assert [one.number for one in kept.exports(made.id)] == [3, 2, 1]
    assert [one.has_keys for one in kept.exports(made.id)] == [True, True, False]
    assert json.loads(kept.keys(made.id, 3) or "") == ["a\nb", '"', "k2"]
    assert kept.keys(made.id, 1) is None
    assert kept.keys(made.id, 9) is None
    assert kept.last_exports()[made.id].number == 3
    kept.delete(made.id)
    assert kept.exports(made.id) == []


def test_of_two_exports_at_once_one_counts(kept: Audiences) -> None:
    made = kept.save("EMEA", "Bo", {})
    assert kept.exported(made, who="Bo", run_id="r", keys=[], after=0, joined=0, left=0) is not None
    assert kept.exported(made, who="Ada", run_id="r", keys=[], after=0, joined=0, left=0) is None
    assert len(kept.exports(made.id)) == 1
