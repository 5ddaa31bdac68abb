"""Lines: one an occurrence, readable by people and programs, without what was sent."""

from __future__ import annotations

import io
import json
import logging

import pytest

from evervalue.core.logs import Lines, fault, tell

LOG = logging.getLogger("evervalue.test")


def written(
    format_: str, name: str = "evervalue.test"
) -> tuple[logging.Logger, io.StringIO, logging.Handler]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Lines(format_))  # type: ignore[arg-type]
    log = logging.getLogger(name)
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    return log, stream, handler


def test_json_has_one_object_a_line() -> None:
    log, stream, handler = written("json")
    tell(log, logging.WARNING, "refused", source="web", count=3)
    tell(log, logging.INFO, "told", "A sentence\nin two lines.")
    log.removeHandler(handler)
    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert first.pop("at").endswith("Z")
    assert first == {
        "level": "warning",
        "logger": "evervalue.test",
        "event": "refused",
        "source": "web",
        "count": 3,
    }
    assert second["says"] == "A sentence\nin two lines."


def test_text_has_the_same_in_one_line() -> None:
    log, stream, handler = written("text")
    tell(log, logging.WARNING, "refused", "Not taken.", source="web", count=3)
    log.removeHandler(handler)
    (line,) = stream.getvalue().splitlines()
    assert line.endswith('WARNING evervalue.test refused says="Not taken." source=web count=3')


def test_an_exception_is_told_by_kind_and_place_alone() -> None:
    for name in ("evervalue.test", "uvicorn.error"):
        log, stream, handler = written("json", name)
        try:
            raise ValueError("ada@example.com")
        except ValueError as error:
            place = fault(error)
            log.exception("It failed.")
            log.error("Task was never retrieved\nfuture: exception=ValueError('ada@example.com')")
        log.removeHandler(handler)
        text = stream.getvalue()
        assert place.startswith("ValueError at test_logs.py:")
        assert "ValueError at test_logs.py:" in text
        if name != "evervalue.test":
            assert "ada" not in text
        assert "ada" not in text.splitlines()[0]


def test_a_level_that_is_not_asked_for_costs_no_line(caplog: pytest.LogCaptureFixture) -> None:
    log, stream, handler = written("text")
    log.setLevel(logging.ERROR)
    tell(log, logging.INFO, "quiet")
    log.removeHandler(handler)
    assert stream.getvalue() == ""
