"""When reports are due, and sending those that are."""

from __future__ import annotations

import datetime as dt
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from evervalue.core.clock import Clock, SystemClock
from evervalue.core.errors import EvervalueError
from evervalue.dashboard.reports.compose import Report, compose
from evervalue.dashboard.reports.mail import message, send
from evervalue.dashboard.reports.pdf import printed
from evervalue.pipeline.report_settings import DAYS, EVERY, ReportSettings
from evervalue.pipeline.settings import Project, read_project
from evervalue.state.sent import Sent
from evervalue.state.store import Store, stamp

log = logging.getLogger("evervalue.reports")
LATE = dt.timedelta(hours=20)
"""What is due for longer is not sent any more: the machine was off."""
STUCK = dt.timedelta(minutes=15)
LOOK_SECONDS = 60.0


def latest_due(every: str, now: dt.datetime, zone: str) -> dt.datetime:
    """The last instant at or before `now` at which a report was due.

    Parameters
    ----------
    every
        As [reports.NAME] has it ("monday 07:00").
    now
        An instant with a time zone.
    zone
        In whose days and hours `every` is meant. An hour that a change of clocks leaves out counts from after it.

    Examples
    --------
    >>> latest_due("monday 07:00", dt.datetime(2024, 5, 8, tzinfo=dt.UTC), "Europe/Berlin").isoformat()
    '2024-05-06T05:00:00+00:00'
    """
    found = EVERY.fullmatch(every)
    assert found is not None, "settings are checked"
    unit, hour, minute = found[1], int(found[2]), int(found[3])
    place = ZoneInfo(zone)
    day = now.astimezone(place).date() + dt.timedelta(days=1)
    while True:
        if _fits(day, unit):
            # by way of UTC, since in the hour that clocks skip no local time is
            due = dt.datetime.combine(day, dt.time(hour, minute), place).astimezone(dt.UTC)
            if due <= now:
                return due
        day -= dt.timedelta(days=1)


def _fits(day: dt.date, unit: str) -> bool:
    if unit == "day":
        return True
    if unit == "weekday":
        return day.weekday() < 5
    if unit.startswith("month "):
        return day.day == int(unit.removeprefix("month "))
    return DAYS[day.weekday()] == unit


def made(project: Project, settings: ReportSettings, clock: Clock) -> tuple[Report, bytes]:
    """A report, and the file that is attached."""
    base = (project.settings.server.public_url or "").rstrip("/")
    report = compose(
        project.data_dir, settings.pages, title=settings.title, language=settings.language, base=base, clock=clock
    )  # fmt: skip
    return report, printed(report.html) if settings.format == "pdf" else report.html.encode()


def send_now(project: Project, name: str, clock: Clock) -> Report:
    """Makes a report and sends it to all who get it.

    Raises
    ------
    EvervalueError
        It cannot be made, or the mail server does not take it.
    """
    settings = project.settings.reports[name]
    report, file = made(project, settings, clock)
    send(message(report, project.settings.mail, settings.to, file, settings.format), project.settings.mail)
    return report


def send_due(project: Project, clock: Clock) -> list[tuple[str, str]]:
    """Sends what is due and was not sent: names of the reports, each with what went wrong (empty: it was sent)."""
    sent = Sent(Store(project.data_dir, Sent.SCHEMA), clock)
    found = []
    for name, settings in project.settings.reports.items():
        now = clock.now()
        due = latest_due(settings.every, now, project.settings.project.time_zone)
        at = stamp(due)
        if now - due > LATE or not sent.claim(name, at, stuck_before=stamp(now - STUCK)):
            continue
        fault = ""
        try:
            send_now(project, name, clock)
        except EvervalueError as error:
            fault = str(error)
        except Exception as error:  # the next one is still to be sent
            log.exception("report %s", name)
            fault = f"{type(error).__name__}; the log has more."
        sent.ended(name, at, fault=fault)
        if fault:
            log.error("the report %s was not sent: %s", name, fault)
        else:
            log.info("the report %s was sent to %d", name, len(settings.to))
        found.append((name, fault))
    return found


def is_due(project: Project, clock: Clock) -> bool:
    """Whether a report may be waiting."""
    sent, now = Sent(Store(project.data_dir, Sent.SCHEMA), clock), clock.now()
    zone = project.settings.project.time_zone
    dues = {name: latest_due(one.every, now, zone) for name, one in project.settings.reports.items()}
    return any(now - due <= LATE and sent.is_open(name, stamp(due)) for name, due in dues.items())


@contextmanager
def sent_beside(project: Project, clock: Clock) -> Iterator[None]:
    """Sends reports when they are due for as long as the block lasts; nothing where none is set.

    Each time in a process of its own: making them holds up no page, and opens the run as it likes.
    """
    if not project.settings.reports:
        yield
        return
    end = threading.Event()
    # -P: a file of the project's folder is never taken for a module
    command = [
        sys.executable,
        "-P",
        "-m",
        "evervalue.dashboard.reports.schedule",
        str(project.folder.resolve()),
    ]

    def look() -> None:
        while not end.wait(LOOK_SECONDS):
            try:
                if is_due(project, clock):
                    subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
            except (EvervalueError, OSError) as error:
                log.error("reports: %s", error)

    Path(project.data_dir).mkdir(parents=True, exist_ok=True)
    thread = threading.Thread(target=look, name="reports", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()


if __name__ == "__main__":
    send_due(read_project(Path(sys.argv[1])), SystemClock())
