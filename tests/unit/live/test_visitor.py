"""Which earlier names belong to a customer, by what the sources say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import orjson

from evervalue.live.visitor import names


@dataclass
class Held:
    seq: int
    source: str
    who: str
    body: bytes


class Log:
    def __init__(self, *events: tuple[str, dict[str, object]]) -> None:
        self.held = [
            Held(
                n,
                source,
                str(event.get("userId") or event["anonymousId"]),
                orjson.dumps({"messageId": "m", **event}),
            )
            for n, (source, event) in enumerate(events, start=1)
        ]

    def about(self, source: str, names: Collection[str], after: int) -> list[Held]:
        return [one for one in self.held if one.source == source and one.who in names and one.seq > after]

    def recent(self, source: str, names: Collection[str], most: int) -> list[Held]:
        return self.about(source, names, 0)[::-1][:most]


def buys(who: str) -> dict[str, object]:
    return {"type": "track", "event": "Order Completed", "anonymousId": who}


def cancels(who: str) -> dict[str, object]:
    return {"type": "track", "event": "Order Cancelled", "anonymousId": who}


def becomes(who: str, user: str) -> dict[str, object]:
    return {"type": "identify", "anonymousId": who, "userId": user}


def alias(who: str, user: str) -> dict[str, object]:
    return {"type": "alias", "previousId": who, "userId": user}


def never(source: str, key: str) -> bool:
    return False


def test_who_never_bought_is_joined_with_nobody() -> None:
    log = Log(("web", cancels("a")), ("web", becomes("a", "u")))
    assert names(log, ["web"], ["u"], never) == ("u",)
    assert names(log, ["web"], ["u"], lambda source, key: (source, key) == ("web", "a")) == ("u", "a")


def test_an_earlier_name_is_found_through_one_that_did_not_buy() -> None:
    log = Log(
        ("web", buys("a")), ("web", becomes("a", "b")), ("web", alias("b", "u")), ("web", alias("c", "u"))
    )
    assert names(log, ["web"], ["u"], never) == ("u", "b", "a")


def test_sources_that_share_keys_share_what_one_of_them_says() -> None:
    log = Log(("web", buys("a")), ("web", becomes("a", "u")), ("app", buys("x")), ("app", becomes("x", "a")))
    assert names(log, ["web", "app"], ["u"], never) == ("u", "a", "x")


def test_names_that_go_round_in_a_circle_end() -> None:
    log = Log(("web", buys("a")), ("web", alias("a", "u")), ("web", alias("u", "a")))
    assert names(log, ["web"], ["u"], never) == ("u", "a")
