"""Requests to the collector that a seed makes: whole, odd and broken ones, and what should become of each message.

What is expected is not worked out by the collector's own code: messages are made good or bad in a known way, and bodies
that were broken afterwards are read by Python's json.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import random
import re
import zlib
from dataclasses import dataclass
from typing import Any

SINGLE = {
    "track": "track", "identify": "identify", "page": "page", "screen": "screen", "group": "group", "alias": "alias",
    "t": "track", "i": "identify", "p": "page", "s": "screen", "g": "group", "a": "alias",
}  # fmt: skip
BATCH = ("batch", "b", "import")
WORDS = (
    "", " ", "a", "Käse", "naïve", "日本語", "😀", "\x00", "\x1f", "\x7f", "\u2028", "\ufeff",
    "'; drop table event; --",
    "</script>", "../../etc", "%s%n", "NaN", "null", "\\", '"', "\ud800", "x\udfffy", "\r\n", "a" * 101,
    "é" * 60,
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 12.5, -0.0, 0.1, 1e308, -1e308, 5e-324, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64,
    -(2**63), -(2**63) - 1, 10**30,
)  # fmt: skip
TIMES = (
    "2024-03-01T12:00:00.500Z", "2024-03-01T12:00:00+05:30", "2024-03-01", "2024-03-01T12:00:00.123456789Z",
    "20240301T120000Z", "2024-W09-5", "1970-01-01T00:00:00Z", "2024-02-29T23:59:59.999Z",
)  # fmt: skip
BAD_TIMES = ("yesterday", "2023-02-29", "24:00", "2024-03-01T25:00:00Z", 7, True, {"a": 1}, ["2024"])
TYPES = tuple(dict.fromkeys(SINGLE.values()))
OVERWRITTEN = ("type", "messageId", "timestamp", "originalTimestamp", "receivedAt", "sentAt", "writeKey")


@dataclass
class Case:
    """A request, and the codes that its messages must get; None where a message must be taken."""

    method: str
    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    codes: list[str | None] | None
    """None where the body was broken afterwards: then it is read again."""
    plain: bytes | None
    """The body before compression; None where the compression was broken too."""
    let_in: bool


class Maker:
    """Makes cases from a seed; one case after the other."""

    def __init__(self, seed: str, key: str) -> None:
        self.random = random.Random(seed)
        self.seed = seed
        self.key = key
        self.n = 0
        self.said: list[Any] = []

    def case(self) -> Case:
        """The next request."""
        chance = self.random
        method, path, let_in = "POST", "", True
        if chance.random() < 0.5:
            route = chance.choice(BATCH)
            value, codes = self._batch()
        else:
            route = chance.choice(tuple(SINGLE))
            message, code = self._message(SINGLE[route])
            value, codes = message, [code]
        path = f"/v1/{route}" + ("/" if chance.random() < 0.03 else "")
        headers, let_in, in_body = self._key()
        if in_body is not None and isinstance(value, dict):
            value = {**value, "writeKey": in_body}
        elif in_body is not None:
            let_in = False
        plain = self._text(value)
        told: list[str | None] | None = codes
        if chance.random() < 0.25:
            broken = self._broken(plain)
            told, plain = (None, broken) if broken != plain else (codes, plain)
        body, more, plain_or_none = self._packed(plain)
        if plain_or_none is None:
            told = None
        headers += more
        if chance.random() < 0.1:
            headers += chance.choice(ODD_HEADERS)
        if chance.random() < 0.04:
            method, path = self._elsewhere(path)
        return Case(method, path, headers, body, told, plain_or_none, let_in)

    def _batch(self) -> tuple[Any, list[str | None]]:
        chance = self.random
        size = chance.choice((0, 1, 1, 2, 3, 5, 8, 20)) if chance.random() < 0.995 else 400
        made = [self._message(None) for _ in range(size)]
        value: dict[str, Any] = {"batch": [message for message, _ in made]}
        if chance.random() < 0.5:
            value["sentAt"] = chance.choice(TIMES) if chance.random() < 0.8 else self._value(2)
        if chance.random() < 0.3:
            value["context"] = chance.choice(
                ({"ip": "1.2.3.4"}, {"library": {"name": "x"}, "a": 1}, {}, None, 7, [1], self._object(2))
            )
        if chance.random() < 0.1:
            value[chance.choice(WORDS)] = self._value(2)
            value["batch"] = [message for message, _ in made]
        return value, [code for _, code in made]

    def _message(self, type: str | None) -> tuple[Any, str | None]:
        """A message and the code of its refusal. What its route names is not said again."""
        chance = self.random
        if self.said and chance.random() < 0.08 and type is None:
            return chance.choice(self.said), None
        if chance.random() < 0.02:
            return chance.choice((None, 7, "text", [], [{}], True, 1.5)), "not_an_object"
        self.n += 1
        kind = type or chance.choice(TYPES)
        message: dict[str, Any] = {"fuzz": f"{self.seed}/{self.n}"}
        if type is None or chance.random() < 0.5:
            message["type"] = kind
        who = chance.random()
        if who < 0.6:
            message["userId"] = chance.choice((f"u{self.n % 7}", 7, 2**53, 1.5, 2**64 - 1, "日本", " "))
        if who > 0.4:
            message["anonymousId"] = chance.choice((f"a{self.n % 5}", 3, "\x00"))
        if kind == "track" or chance.random() < 0.2:
            message["event"] = chance.choice(("Order Completed", "Seen", "日本語", "\x00", " "))
        if kind == "group":
            message["groupId"] = chance.choice(("g1", 7))
        if kind == "alias":
            message["previousId"] = chance.choice(("a1", 8))
        if chance.random() < 0.8:
            message["messageId"] = f"{self.seed}-{self.n}" + chance.choice(("", "", "é", "😀", "\x00", " "))
        for name in ("properties", "traits", "context", "integrations"):
            if chance.random() < 0.3:
                message[name] = self._object(3) if chance.random() < 0.9 else None
        if chance.random() < 0.5:
            message["timestamp"] = chance.choice(TIMES)
        if chance.random() < 0.2:
            message["originalTimestamp"] = chance.choice((*TIMES, None, ""))
            message.setdefault("timestamp", chance.choice(TIMES))
        if chance.random() < 0.3:
            message["sentAt"] = chance.choice((*TIMES, "nonsense", None, 7))
        if chance.random() < 0.1:
            message[chance.choice(("x", "receivedAt", "Ünïcode", "", "\x00", "version"))] = self._value(3)
        if chance.random() < 0.15:
            return self._bad(message, kind, type is not None)
        if "messageId" in message and chance.random() < 0.1:
            self.said = [*self.said[-50:], message]
            message["type"] = kind
        return message, None

    def _bad(self, message: dict[str, Any], kind: str, by_route: bool) -> tuple[Any, str]:
        """The message with one fault."""
        chance = self.random
        faults = ["who", "id", "object", "time", "large"]
        faults += ["event"] if kind == "track" else []
        faults += ["group"] if kind == "group" else []
        faults += ["previous"] if kind == "alias" else []
        faults += [] if by_route else ["type"]
        fault = chance.choice(faults)
        if fault == "large" and chance.random() < 0.8:
            fault = "who"
        if fault == "who":
            for name in ("userId", "anonymousId"):
                message[name] = chance.choice((None, "", True, False, [], {}, ["u"]))
            return message, "no_user_anon_id"
        if fault == "id":
            message["messageId"] = chance.choice(("x" * 101, 7, True, ["m"], {"m": 1}, 0.5))
            return message, "bad_message_id"
        if fault == "object":
            name = chance.choice(("properties", "traits", "context", "integrations"))
            message[name] = chance.choice((7, "text", [], [1], True, 0.5))
            return message, "not_an_object"
        if fault == "time":
            message["timestamp"] = chance.choice(BAD_TIMES)
            message.pop("originalTimestamp", None)
            return message, "bad_timestamp"
        if fault == "large":
            message["properties"] = {"text": chance.choice(("x", "é", "\x01")) * 33_000}
            return message, "too_large"
        if fault == "event":
            message["event"] = chance.choice((None, "", 7, True, [], {}))
            return message, "no_event"
        if fault == "group":
            message["groupId"] = chance.choice((None, "", True, []))
            return message, "no_group_id"
        if fault == "previous":
            message["previousId"] = chance.choice((None, "", False, {}))
            return message, "no_previous_id"
        message["type"] = chance.choice((None, "", "Track", 7, True, [], {}, "event"))
        message.pop("action", None)
        return message, "unknown_type"

    def _value(self, depth: int) -> Any:
        chance = self.random
        pick = chance.random()
        if depth <= 0 or pick < 0.35:
            return chance.choice(WORDS) * chance.choice((1, 1, 1, 3))
        if pick < 0.6:
            return chance.choice(NUMBERS)
        if pick < 0.7:
            return chance.choice((None, True, False))
        if pick < 0.85:
            return [self._value(depth - 1) for _ in range(chance.randrange(4))]
        return self._object(depth - 1)

    def _object(self, depth: int) -> dict[str, Any]:
        chance = self.random
        return {
            chance.choice(WORDS) or "k": self._value(depth) for _ in range(chance.choice((0, 1, 1, 2, 4)))
        }

    def _text(self, value: Any) -> bytes:
        chance = self.random
        escaped = chance.random() < 0.5
        text = json.dumps(
            value, ensure_ascii=escaped, separators=chance.choice(((",", ":"), (", ", ": "), (" ,\n", "\t:")))
        )
        if not escaped:  # a half of a pair can only be written escaped
            text = HALF.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        return text.encode()

    def _broken(self, body: bytes) -> bytes:
        chance = self.random
        made = bytearray(body)
        for _ in range(chance.choice((1, 1, 2, 5))):
            at = chance.randrange(len(made) + 1)
            pick = chance.randrange(8)
            if pick == 0 and made:
                made[min(at, len(made) - 1)] ^= 1 << chance.randrange(8)
            elif pick == 1:
                del made[at : at + chance.choice((1, 2, 10))]
            elif pick == 2:
                made[at:at] = chance.choice(SPLICES)
            elif pick == 3:
                del made[at:]
            elif pick == 4:
                made[at:at] = made[at : at + chance.randrange(1, 60)]
            elif pick == 5:
                made[at:at] = bytes(chance.randrange(256) for _ in range(3))
            elif pick == 6:
                made[:0] = chance.choice((b"\xef\xbb\xbf", b"\xff\xfe", b" \n", b"[", b"\x00"))
            else:
                made += chance.choice((b" ", b"{}", b"]", b"\x00", b"\n\n", b","))
        return bytes(made)

    def _packed(self, plain: bytes) -> tuple[bytes, list[tuple[bytes, bytes]], bytes | None]:
        chance = self.random
        pick = chance.random()
        if pick < 0.6:
            return plain, [], plain
        if pick < 0.75:
            return (
                gzip.compress(plain, 1),
                [(b"content-encoding", chance.choice((b"gzip", b"GZIP", b"x-gzip", b" gzip ")))],
                plain,
            )
        if pick < 0.85:
            return zlib.compress(plain, 1), [(b"content-encoding", b"deflate")], plain
        if pick < 0.9:
            return plain, [(b"content-encoding", chance.choice((b"identity", b"")))], plain
        if pick < 0.93:
            packed = bytearray(gzip.compress(plain, 1))
            packed[chance.randrange(len(packed))] ^= 1 << chance.randrange(8)
            return bytes(packed), [(b"content-encoding", b"gzip")], None
        if pick < 0.96:
            packed = bytearray(gzip.compress(plain, 1))
            return bytes(packed[: chance.randrange(len(packed))]), [(b"content-encoding", b"gzip")], None
        if pick < 0.98:
            return (
                plain,
                [
                    (
                        b"content-encoding",
                        chance.choice((b"gzip", b"deflate", b"br", b"zstd", b"\xff", b"gzip, gzip")),
                    )
                ],
                None,
            )
        return BOMB, [(b"content-encoding", b"gzip")], None

    def _key(self) -> tuple[list[tuple[bytes, bytes]], bool, str | None]:
        """Headers, whether they let in, and the key that is to stand in the body."""
        chance = self.random
        pick = chance.random()
        basic = b"Basic " + base64.b64encode(f"{self.key}:".encode())
        if pick < 0.6:
            return [(b"authorization", basic)], True, None
        if pick < 0.7:
            return (
                [(b"authorization", b"basic " + base64.b64encode(f"{self.key}:secret".encode()))],
                True,
                None,
            )
        if pick < 0.8:
            return [(b"authorization", b"Bearer " + self.key.encode())], True, None
        if pick < 0.94:
            return [], True, self.key
        if pick < 0.95:
            return [], False, None
        wrong = (
            b"Basic",
            b"Basic !!!!",
            b"Basic /w==",
            b"Digest x",
            b"",
            b"Bearer",
            b"\xff\xfe",
            b"Basic " + b"QUJD" * 5000,
            b"Bearer evw_none",
        )
        return [(b"authorization", chance.choice(wrong))], False, None

    def _elsewhere(self, path: str) -> tuple[str, str]:
        chance = self.random
        if chance.random() < 0.5:
            return chance.choice(("GET", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE", "post")), path
        paths = (
            "", "/", "/v1", "/v1/", "/v2/track", "/v1/track/x", "/V1/TRACK", "/v1/projects//settings",
            "/v1/projects/settings",
            f"/v1/projects/{self.key}/settings", "/v1/projects/\x00/settings",
            "/v1/projects/a/b/c/settings", "/healthz",
            "/v1/" + "a" * 5000, "/v1/日本", "//v1/track", "/v1/track\x00",
        )  # fmt: skip
        return chance.choice(("GET", "POST", "OPTIONS")), chance.choice(paths)


HALF = re.compile("[\ud800-\udfff]")
BOMB = gzip.compress(b" " * 5_000_000)
SPLICES = (
    b"NaN", b"Infinity", b"1e999", b"\\ud800", b"\\u0000", b"\x00", b'"', b"\\", b"[[[[[[", b"{", b"}",
    b'"a":1,', b"\xc3", b"\xed\xa0\x80",
    b"[" * 300 + b"]" * 300, b'{"a":' * 1100 + b"1" + b"}" * 1100, b"9" * 400, b"9" * 5000, b"-", b"1.",
    b"/**/", b"\xf0\x9f\x98\x80", b"null",
)  # fmt: skip
ODD_HEADERS = (
    [(b"content-type", b"text/plain")], [(b"content-type", b"\xff\xff")], [(b"origin",
    b"https://shop.example")],
    [(b"origin", b"null")], [(b"x-" + b"y" * 200, b"z" * 8000)], [(b"accept-encoding", b"br")],
    [(b"cookie", b"a=b; " * 500)],
    [(b"x-retry-count", b"3")], [(b"host", b"\xff")], [(b"content-length", b"0")],
    [(b"access-control-request-headers", b"a, b")],
)  # fmt: skip


def read(body: bytes) -> Any:
    """The JSON value of a body by Python's own reader, halves of pairs replaced, and in a messageId written out.

    Raises
    ------
    ValueError
        It is none.
    """
    value = json.loads(body.decode("utf-8"), parse_constant=_refuse)
    if isinstance(value, dict):
        batch = value.get("batch")
        for message in (value, *(batch if isinstance(batch, list) else ())):
            if isinstance(message, dict) and isinstance(message.get("messageId"), str):
                message["messageId"] = HALF.sub(lambda half: rf"\u{ord(half[0]):x}", message["messageId"])
    return cleaned(value)


def _refuse(name: str) -> None:
    raise ValueError(name)


def cleaned(value: Any) -> Any:
    """The value as any reader of JSON has it: no halves of pairs, and numbers beyond 64 bits as doubles."""
    if isinstance(value, str):
        return HALF.sub("\ufffd", value)
    if isinstance(value, list):
        return [cleaned(one) for one in value]
    if isinstance(value, dict):
        return {cleaned(name): cleaned(one) for name, one in value.items()}
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        try:
            return float(value)
        except OverflowError:
            raise ValueError("infinite") from None
    if isinstance(value, float) and math.isinf(value):
        raise ValueError("infinite")
    return value


def content(message: dict[str, Any]) -> str:
    """What must be kept of a message, in one spelling."""
    left = {name: value for name, value in message.items() if name not in OVERWRITTEN}
    return json.dumps(left, sort_keys=True)
