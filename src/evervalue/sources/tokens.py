"""The careful reading of delimited text: record by record, every fault named, nothing swallowed.

Well-formed files never come here; the engine's parser reads them. What it cannot be trusted with does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_FIELD = 1 << 20
LONGEST_RECORD = 1 << 23
WHITESPACE = "whitespace"


@dataclass(frozen=True)
class Record:
    """A record of a delimited file: its fields, or the reason why it has none."""

    text: str
    fields: list[str]
    fault: str | None = None


def records(lines: Iterator[str], delimiter: str, quote: str) -> Iterator[Record]:
    """The records in physical `lines` (with their line ends), blank ones left out.

    A quote that is opened and never closed costs its own line only: reading goes on with the line after it.
    """
    waiting: list[str] = []
    while True:
        line = waiting.pop() if waiting else next(lines, None)
        if line is None:
            return
        text = line.rstrip("\r\n")
        if not text or (not text.strip() and delimiter not in text):
            continue
        if delimiter == WHITESPACE:
            yield _judged(Record(text, text.split()))
            continue
        if not quote or quote not in text:
            yield _judged(Record(text, text.split(delimiter)))
            continue
        whole, taken = line, [line]
        fields = _split(text, delimiter, quote)
        while fields is None and len(whole) <= LONGEST_FIELD:
            more = waiting.pop() if waiting else next(lines, None)
            if more is None:
                break
            taken.append(more)
            whole += more
            if quote in more:
                fields = _split(whole.rstrip("\r\n"), delimiter, quote)
        if fields is None:
            waiting.extend(reversed(taken[1:]))
            yield Record(text, [text], "unclosed_quote")
        elif not fields:
            waiting.extend(reversed(taken[1:]))
            yield Record(text, [text], "bad_quotes")
        else:
            yield _judged(Record(whole.rstrip("\r\n"), fields))


def delimiter_of(sample: list[str], quote: str) -> str:
    """The delimiter that splits the sample's lines most evenly, then into most fields; a comma where none does."""
    best, best_rank = ",", (0.0, 1)
    for candidate in (",", ";", "\t", "|"):
        widths = [len(r.fields) for r in records(iter(sample), candidate, quote) if r.fault is None]
        if not widths or widths[0] < 2:
            continue
        alike = sum(1 for w in widths if w == widths[0]) / len(widths)
        rank = (round(alike, 1), widths[0])
        if rank > best_rank:
            best, best_rank = candidate, rank
    if best_rank[1] == 1:
        widths = [len(line.split()) for line in sample if line.strip()]
        ragged = any("  " in line.strip() for line in sample)
        if ragged and len(widths) > 1 and widths[0] > 1 and len(set(widths)) == 1:
            return WHITESPACE
    return best


def _judged(record: Record) -> Record:
    text = record.text
    if "\0" in text:
        return Record(text, record.fields, "nul_bytes")
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        return Record(text, record.fields, "invalid_bytes")
    if len(text) > LONGEST_FIELD and (
        len(text) > LONGEST_RECORD or any(len(f) > LONGEST_FIELD for f in record.fields)
    ):
        return Record(text, record.fields, "field_too_long")
    return record


def _split(text: str, delimiter: str, quote: str) -> list[str] | None:
    """Fields of a record with quotes; None where a quote is still open, [] where one is misplaced."""
    fields: list[str] = []
    at, end = 0, len(text)
    while True:
        if text.startswith(quote, at):
            parts: list[str] = []
            begin = at + 1
            while True:
                found = text.find(quote, begin)
                if found < 0:
                    return None
                if text.startswith(quote, found + 1):
                    parts.append(text[begin : found + 1])
                    begin = found + 2
                    continue
                parts.append(text[begin:found])
                at = found + 1
                break
            fields.append("".join(parts))
            if at == end:
                return fields
            if text[at] != delimiter:
                return []
            at += 1
            continue
        found = text.find(delimiter, at)
        if found < 0:
            fields.append(text[at:])
            return fields
        fields.append(text[at:found])
        at = found + 1
