"""One wake-up of the loop tells every request of a commit; a key is asked about once a second."""

from __future__ import annotations

import asyncio
import threading

import pytest

from evervalue.collector.acknowledging import Acknowledging
from evervalue.collector.remembered import MOST, Remembered
from evervalue.core.errors import EvervalueError, StorageError
from tests.support.running import run


def test_every_request_is_told_its_own_outcome_from_another_thread() -> None:
    failed = StorageError("full")

    async def main() -> tuple[list[EvervalueError | None], int]:
        loop = asyncio.get_running_loop()
        acknowledging, woken = Acknowledging(loop), 0
        expected = [acknowledging.expect() for _ in range(1000)]
        tell = acknowledging._tell

        def counted() -> None:
            nonlocal woken
            woken += 1
            tell()

        acknowledging._tell = counted  # type: ignore[method-assign]

        def write() -> None:
            for n, (_, done) in enumerate(expected):
                done(failed if n % 7 == 0 else None)

        thread = threading.Thread(target=write)
        thread.start()
        found = [await outcome for outcome, _ in expected]
        thread.join()
        return found, woken

    found, woken = run(main())
    assert found == [failed if n % 7 == 0 else None for n in range(1000)]
    assert woken < 500


def test_who_gave_up_or_is_gone_does_not_disturb_the_writer() -> None:
    async def main() -> tuple[Acknowledging, object]:
        acknowledging = Acknowledging(asyncio.get_running_loop())
        outcome, done = acknowledging.expect()
        outcome.cancel()
        done(None)
        await asyncio.sleep(0.01)
        return acknowledging, acknowledging.expect()[1]

    _, done = run(main())
    assert callable(done)
    done(None)  # the loop has ended


def test_what_is_remembered_is_forgotten_in_time_and_in_number() -> None:
    remembered = Remembered(seconds=1.0)
    remembered.let_in(b"Basic a", "web", now=10.0)
    assert remembered.known(b"Basic a", now=10.9) == "web"
    assert remembered.known(b"Basic a", now=11.0) is None
    assert remembered.known(b"Basic b", now=10.0) is None
    for n in range(3 * MOST):
        remembered.let_in(b"%d" % n, "web", now=10.0)
    assert len(remembered._let_in) <= MOST


@pytest.mark.parametrize("header", [b"", b"Basic"])
def test_a_header_without_a_key_is_never_remembered(header: bytes) -> None:
    assert Remembered().known(header, now=0.0) is None
