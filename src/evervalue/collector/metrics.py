"""What the collector tells of itself to Prometheus: text format 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from evervalue.collector.log import Tally

CONTENT = b"text/plain; version=0.0.4; charset=utf-8"


def rendered(tallies: Iterable[Tally], answers: Mapping[int, int], waiting: tuple[int, int]) -> bytes:
    """The metrics as text.

    Parameters
    ----------
    tallies
        What became of what each source sent, as the log has it.
    answers
        HTTP status: how often this process answered so.
    waiting
        Events and bytes that wait for the disk.
    """
    lines = [
        "# HELP evervalue_events_total Events that came, by what became of them; accepted is the sum of the others.",
        "# TYPE evervalue_events_total counter",
    ]
    for tally in tallies:
        for outcome in ("accepted", "stored", "duplicate", "quarantined"):
            count = getattr(tally, outcome)
            lines.append(f'evervalue_events_total{{source="{tally.source}",outcome="{outcome}"}} {count}')
    lines += [
        "# HELP evervalue_collector_answers_total Requests that this process answered, by HTTP status.",
        "# TYPE evervalue_collector_answers_total counter",
        *(
            f'evervalue_collector_answers_total{{status="{status}"}} {n}'
            for status, n in sorted(answers.items())
        ),
        "# HELP evervalue_collector_waiting_events Events that wait for the disk.",
        "# TYPE evervalue_collector_waiting_events gauge",
        f"evervalue_collector_waiting_events {waiting[0]}",
        "# HELP evervalue_collector_waiting_bytes Bytes that wait for the disk.",
        "# TYPE evervalue_collector_waiting_bytes gauge",
        f"evervalue_collector_waiting_bytes {waiting[1]}",
    ]
    return ("\n".join(lines) + "\n").encode()
