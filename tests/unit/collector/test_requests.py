"""Batches as they are judged: what their context becomes, and what it may come to."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from evervalue.collector.requests import LARGEST_MERGED, judge

PAGE: dict[str, Any] = {"type": "page", "userId": "u"}


@pytest.mark.parametrize("context", [[], "", 0, False, [1], "text"])
def test_the_context_of_a_batch_does_not_hide_that_of_an_event_that_is_none(context: object) -> None:
    """Found by the fuzzer: an empty list was taken for no context, and lost."""
    judged = judge({"batch": [{**PAGE, "context": context}], "context": {"ip": "1.2.3.4"}}, None, 0)
    assert [refusal.code for refusal in judged.refused] == ["not_an_object"]
    assert orjson.loads(judged.refused[0].body)["context"] == context


@pytest.mark.parametrize("context", [None, {}])
def test_an_event_without_a_context_has_that_of_its_batch(context: object) -> None:
    (event,) = judge({"batch": [{**PAGE, "context": context}], "context": {"a": 1}}, None, 0).taken
    assert orjson.loads(event.body)["context"] == {"a": 1}


def test_a_context_that_many_events_share_does_not_fill_the_memory() -> None:
    """2,500 events with 31 KB between them would be 77 MB of events."""
    judged = judge({"batch": [PAGE] * 2500, "context": {"x": "y" * 31_000}}, None, 0)
    assert [refusal.code for refusal in judged.refused] == ["too_large"]
    assert sum(len(refusal.body) for refusal in judged.refused) < 500_000
    assert "fewer events" in judged.errors[0]["message"]
    fitting = LARGEST_MERGED // 31_000 - 5
    assert len(judge({"batch": [PAGE] * fitting, "context": {"x": "y" * 31_000}}, None, 0).taken) == fitting
