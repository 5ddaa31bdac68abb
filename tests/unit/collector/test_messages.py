"""What the tracking API takes, what it refuses and how it says so."""

from __future__ import annotations

import json

import pytest

from evervalue.collector.messages import Event, Refusal, judged, read_json
from evervalue.collector.stamps import corrected, parsed, written

NOW = 1_709_290_800_000_000
"""2024-03-01T11:00:00Z."""


def judge(message: object, type: str | None = None, sent: object = None) -> Event | Refusal:
    return judged(message, type, sent=sent, received_us=NOW)


def track(**more: object) -> dict[str, object]:
    return {"type": "track", "userId": "u1", "event": "Signed Up", "messageId": "m1", **more}


def test_an_event_keeps_four_instants_and_is_placed_by_the_corrected_one() -> None:
    # The sender's clock is an hour fast; it sent ten seconds after the event, and that is what counts.
    event = judge(track(timestamp="2024-03-01T12:00:00.000Z", sentAt="2024-03-01T12:00:10.000Z"))
    assert isinstance(event, Event)
    assert event.at_us == NOW - 10_000_000
    body = json.loads(event.body)
    assert body["timestamp"] == "2024-03-01T10:59:50.000Z"
    assert body["originalTimestamp"] == "2024-03-01T12:00:00.000Z"
    assert body["sentAt"] == "2024-03-01T12:00:10.000Z"
    assert body["receivedAt"] == "2024-03-01T11:00:00.000Z"


def test_the_instant_of_sending_of_a_batch_counts_for_events_without_their_own() -> None:
    for own in ({}, {"sentAt": None}, {"sentAt": ""}):
        event = judge(track(timestamp="2024-03-01T10:00:00Z", **own), sent="2024-03-01T10:00:05Z")
        assert isinstance(event, Event)
        assert event.at_us == NOW - 5_000_000


@pytest.mark.parametrize(
    ("original", "sent", "at"),
    [(None, None, NOW), (None, NOW - 9, NOW), (NOW - 50, None, NOW - 50), (NOW + 70, NOW + 100, NOW - 30)],
)
def test_what_is_not_there_corrects_nothing(original: int | None, sent: int | None, at: int) -> None:
    assert corrected(original, sent, NOW) == at


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("2024-03-01T11:00:00Z", NOW),
        ("2024-03-01T11:00:00", NOW),
        ("2024-03-01T12:00:00+01:00", NOW),
        ("2024-03-01T11:00:00.123456789Z", NOW + 123_456),
        ("2024-03-01", NOW - 11 * 3600 * 1_000_000),
        ("now", None),
        (17, None),
        ("0001-01-01T00:00:00+23:59", -62135683140000000),
    ],
)
def test_instants_are_read_as_iso_8601_writes_them(text: object, us: int | None) -> None:
    assert parsed(text) == us


def test_an_instant_is_written_to_the_millisecond() -> None:
    assert written(NOW + 1_999) == "2024-03-01T11:00:00.001Z"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ([], "not_an_object"),
        ("text", "not_an_object"),
        ({"userId": "u"}, "unknown_type"),
        ({"type": "teleport", "userId": "u"}, "unknown_type"),
        ({"type": ["track"], "userId": "u"}, "unknown_type"),
        ({"type": "track", "event": "E"}, "no_user_anon_id"),
        ({"type": "track", "event": "E", "userId": ""}, "no_user_anon_id"),
        ({"type": "track", "event": "E", "userId": True}, "no_user_anon_id"),
        ({"type": "track", "userId": "u"}, "no_event"),
        ({"type": "track", "userId": "u", "event": 7}, "no_event"),
        ({"type": "group", "userId": "u"}, "no_group_id"),
        ({"type": "alias", "userId": "u"}, "no_previous_id"),
        (track(properties=[1]), "not_an_object"),
        (track(context="web"), "not_an_object"),
        (track(messageId="x" * 101), "bad_message_id"),
        (track(messageId=5), "bad_message_id"),
        (track(timestamp="yesterday"), "bad_timestamp"),
        (track(timestamp=1709290800), "bad_timestamp"),
        (track(timestamp="1969-12-31T23:59:59Z"), "absurd_timestamp"),
        (track(timestamp="0001-01-01T00:00:00Z", sentAt="9999-12-31T00:00:00Z"), "absurd_timestamp"),
        (track(properties={"text": "x" * 33_000}), "too_large"),
        (track(properties={"n": 2**70}), "not_json"),
    ],
)
def test_what_is_no_event_says_why_and_is_kept(message: object, code: str) -> None:
    refusal = judge(message)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    assert refusal.says.endswith(".")
    assert refusal.body


@pytest.mark.parametrize(
    "message",
    [
        {"type": "identify", "anonymousId": "a", "traits": {"email": "a@b.biz"}},
        {"type": "page", "userId": 17},
        {"type": "screen", "userId": "u", "properties": None},
        {"type": "alias", "userId": "u", "previousId": "a"},
        {"type": "group", "userId": "u", "groupId": "g"},
        track(messageId="x" * 100),
        track(messageId=None),
    ],
)
def test_what_the_specification_allows_is_taken(message: dict[str, object]) -> None:
    event = judge(message)
    assert isinstance(event, Event)
    assert event.type == message["type"]
    assert 0 < len(event.message_id) <= 100


def test_an_event_without_an_id_gets_one_of_its_own() -> None:
    first, second = (judge({"type": "page", "userId": "u"}) for _ in range(2))
    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert first.message_id != second.message_id


@pytest.mark.parametrize(
    ("user", "anonymous", "who"),
    [
        ("ann", "v1", "ann"), (" ann ", None, "ann"), ("", "v1", "v1"), ("  ", "v1", "v1"), (None, "v1", "v1"),
        (17, None, "17"), (17.0, None, "17"), (17.5, "v1", "v1"), (2.0**53, "v1", "v1"), (1e300, "v1", "v1"),
        (True, "v1", "v1"), (["ann"], "v1", "v1"), (17.5, None, None),
    ],
)  # fmt: skip
def test_an_event_says_whose_it_is(user: object, anonymous: object, who: str | None) -> None:
    found = judged(
        {"type": "track", "event": "x", "userId": user, "anonymousId": anonymous},
        None,
        sent=None,
        received_us=1,
    )
    assert isinstance(found, Event)
    assert found.who == who


def test_the_write_key_is_not_stored() -> None:
    event = judge(track(writeKey="evw_secret"))
    assert isinstance(event, Event)
    assert b"evw_secret" not in event.body


def test_half_a_surrogate_pair_does_not_lose_the_batch() -> None:
    assert read_json(b'{"batch": [{"event": "\\ud83d"}]}') == {"batch": [{"event": "\ufffd"}]}
    assert read_json(b'{"event": "\\ud83d\\ude00"}') == {"event": "\U0001f600"}


def test_ids_that_differ_in_half_a_surrogate_pair_are_two() -> None:
    body = b'{"batch": [{"messageId": "a\\ud83d"}, {"messageId": "a\\ud83c"}, {"messageId": "\\ud83d\\ude00"}, 7]}'
    ids = [message["messageId"] for message in read_json(body)["batch"][:3]]
    assert ids == ["a\\ud83d", "a\\ud83c", "\U0001f600"]
    assert read_json(b'{"messageId": "a\\ud83d"}') == {"messageId": ids[0]}
    assert read_json(b'["\\ud83d"]') == ["\ufffd"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"a": NaN}', b'{"a": "\\u12"}', b"[" * 100_000])
def test_what_is_no_json_is_told(body: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        read_json(body)
