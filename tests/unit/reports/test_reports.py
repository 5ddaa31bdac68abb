"""Reports: pages as one file that asks nobody for anything, sent once when they are due."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import time
from pathlib import Path

import pytest

from evervalue.core.clock import FixedClock, SystemClock
from evervalue.core.errors import InputError, NothingPublished, SettingsError, SourceUnavailable
from evervalue.dashboard.reports import schedule
from evervalue.dashboard.reports.compose import compose
from evervalue.dashboard.reports.schedule import latest_due, send_due, send_now, sent_beside
from evervalue.dashboard.reports.standalone import main_of
from evervalue.pipeline.settings import Project, read_project, settings_from
from evervalue.state.sent import MOST_TRIES, Sent
from evervalue.state.store import Store
from tests.support.mail_sink import mail_sink
from tests.support.site import revenue_data, saas_data

MAIL = {"host": "127.0.0.1", "security": "none", "sender": "Evervalue <value@example.com>"}
TABLES = {
    "sources": {"s": {"path": "s.csv", "columns": {"customer_id": "c", "ordered_at": "d", "amount": "a"}}}
}


def project(folder: Path, port: int, **report: object) -> Project:
    """A project with one report over a copy of the published example."""
    shutil.copytree(
        saas_data(), folder / "evervalue-data", ignore=shutil.ignore_patterns("warehouse*", "state.db*")
    )
    lines = (saas_data().parent / "evervalue.toml").read_text()
    told = {"pages": ["/", "/gems"], "to": ["ada@example.com"], "every": "monday 07:00", **report}
    rows = "\n".join(f"{name} = {value!r}" for name, value in told.items())
    (folder / "evervalue.toml").write_text(
        f'{lines}\n[mail]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
        f'sender = "Evervalue <value@example.com>"\n[reports.weekly]\n{rows}\n'
    )
    return read_project(folder)


def test_a_report_is_one_file_without_an_address() -> None:
    made = compose(saas_data(), ("/", "/gems"), clock=SystemClock())
    assert made.findings == (
        "99 customers, $286.4K profit",
        "11 of the 20 most profitable customers are Mid-Value",
    )
    assert "Valero Energy" in made.html
    markup = re.sub(r"<script>.*?</script>|<style>.*?</style>", "", made.html, flags=re.DOTALL)
    assert not re.search(r"""\s(?:src|href|action|srcset)=["'](?!#)""", markup)
    assert not re.search(r"<(?:form|button|input|dialog|nav|iframe|link)\b", markup)
    assert not re.search(r"\s(?:hx-|on)[a-z-]+=", markup)
    ids = re.findall(r'\sid="([^"]+)"', markup)
    assert len(ids) == len(set(ids))
    for chart in re.findall(r'data-chart="([^"]+)"', markup):
        assert chart in ids


def test_links_lead_to_the_server_where_it_is_known() -> None:
    made = compose(saas_data(), ("/gems",), base="https://value.example.com", clock=SystemClock())
    assert 'href="https://value.example.com/customers/1093"' in made.html


def test_names_that_look_like_code_stay_text() -> None:
    made = compose(revenue_data(), ("/customers",), language="de-DE", clock=SystemClock())
    assert "<script>alert(1)</script>" not in made.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made.html
    assert "\N{EURO SIGN}" in made.html


def test_a_filter_of_any_letters_is_the_one_that_is_meant() -> None:
    for page in ("/customers?q=Zo\u00eb", "/customers?q=Zo%C3%AB"):
        made = compose(revenue_data(), (page,), clock=SystemClock())
        assert made.findings == ("1 customer matching \u201cZo\u00eb\u201d",)


@pytest.mark.parametrize("page", ["/nowhere", "/customers?tier=wrong", "/customers/nobody"])
def test_a_page_that_cannot_be_shown_is_told(page: str) -> None:
    with pytest.raises(InputError, match=re.escape(page)):
        compose(saas_data(), (page,), clock=SystemClock())


def test_nothing_published_is_told(tmp_path: Path) -> None:
    with pytest.raises(NothingPublished):
        compose(tmp_path, ("/",))


def test_what_is_left_out_leaves_the_rest_whole() -> None:
    page = (
        "<p>no</p><main><nav>a<ul><li>b</ul></nav><p class='x'>c &lt;<br>d</p>"
        "<details class='chooser'>e<details>e</details>e</details>f<div hx-get='/g' hx-trigger='load'>h</div></main>"
    )
    assert main_of(page) == ('<p class="x">c &lt;<br>d</p>f', [])


def test_a_report_is_mailed(tmp_path: Path) -> None:
    with mail_sink() as sink:
        send_now(
            project(tmp_path, sink.port, to=["ada@example.com", "Ben <ben@example.com>"]),
            "weekly",
            SystemClock(),
        )
        (mail,) = sink.mails
    assert mail["Subject"] == "SaaS example: 99 customers, $286.4K profit"
    assert mail["To"] == "ada@example.com, Ben <ben@example.com>"
    body = mail.get_body(("plain",))
    assert body is not None
    assert "- 11 of the 20 most profitable customers are Mid-Value" in body.get_content()
    (file,) = mail.iter_attachments()
    assert file.get_filename() == "saas-example.html"
    assert "Valero Energy" in file.get_content()


def test_what_is_due_is_sent_once_whoever_looks(tmp_path: Path) -> None:
    monday = dt.datetime(2024, 5, 6, 7, 1, tzinfo=dt.UTC)
    with mail_sink() as sink:
        asked = project(tmp_path, sink.port)
        assert send_due(asked, FixedClock(monday)) == []  # never looked at before: it begins with the next
        assert send_due(asked, FixedClock(monday + dt.timedelta(days=6))) == []
        assert send_due(asked, FixedClock(monday + dt.timedelta(days=7))) == [("weekly", "")]
        assert send_due(asked, FixedClock(monday + dt.timedelta(days=7, hours=1))) == []
        assert send_due(asked, FixedClock(monday + dt.timedelta(days=16))) == []  # too late for it
        assert len(sink.mails) == 1


def test_what_failed_is_tried_again_but_not_for_ever(tmp_path: Path) -> None:
    monday = dt.datetime(2024, 5, 6, 7, 1, tzinfo=dt.UTC)
    with mail_sink() as sink:
        asked = project(tmp_path, sink.port)
        send_due(asked, FixedClock(monday))
        sink.refuses = True
        clock = FixedClock(monday + dt.timedelta(days=7))
        for _ in range(2):
            ((name, fault),) = send_due(asked, clock)
            assert name == "weekly"
            assert "takes mail for none" in fault
        sink.refuses = False
        assert send_due(asked, clock) == [("weekly", "")]
        (row,) = Sent(Store(asked.data_dir, Sent.SCHEMA), clock).latest()
        assert (row["state"], row["tries"]) == ("sent", 3)
        sink.refuses = True
        later = FixedClock(monday + dt.timedelta(days=14))
        assert [len(send_due(asked, later)) for _ in range(MOST_TRIES + 1)] == [1] * MOST_TRIES + [0]


def test_what_was_begun_by_a_process_that_died_is_taken_over(tmp_path: Path) -> None:
    now = dt.datetime(2024, 5, 6, 7, 1, tzinfo=dt.UTC)
    sent = Sent(Store(tmp_path, Sent.SCHEMA), FixedClock(now))
    assert not sent.claim("a", "1", stuck_before="")
    assert sent.claim("a", "2", stuck_before="")
    assert not sent.claim("a", "2", stuck_before="2024-05-06T07:00:00Z")
    assert sent.claim("a", "2", stuck_before="2024-05-06T07:05:00Z")


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with mail_sink() as sink:
        port = sink.port
    with pytest.raises(SourceUnavailable, match=rf"127\.0\.0\.1:{port}"):
        send_now(project(tmp_path, port), "weekly", SystemClock())


@pytest.mark.parametrize(
    ("every", "now", "due"),
    [
        ("day 07:00", "2024-05-08T04:59:00", "2024-05-07T05:00:00"),
        ("day 07:00", "2024-05-08T05:00:00", "2024-05-08T05:00:00"),
        ("weekday 07:00", "2024-05-12T12:00:00", "2024-05-10T05:00:00"),
        ("month 1 07:00", "2024-03-01T05:59:00", "2024-02-01T06:00:00"),
        ("day 02:30", "2024-03-31T12:00:00", "2024-03-31T01:30:00"),  # the hour that clocks skip
        ("sunday 23:59", "2024-05-06T00:00:00", "2024-05-05T21:59:00"),
    ],
)
def test_when_a_report_was_due_last(every: str, now: str, due: str) -> None:
    asked = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)
    assert latest_due(every, asked, "Europe/Berlin").isoformat() == due + "+00:00"


@pytest.mark.parametrize(
    ("mail", "report", "says"),
    [
        ({}, {"pages": ["/"], "to": ["a@b.c"]}, "wants a mail server"),
        (MAIL, {"pages": ["//evil.example"], "to": ["a@b.c"]}, "is not a page"),
        (MAIL, {"pages": ["/v1/customers"], "to": ["a@b.c"]}, "is not a page"),
        (MAIL, {"pages": ["/"], "to": ["a@b.c\nBcc: x@y.z"]}, "is not a mail address"),
        (MAIL, {"pages": ["/"], "to": ["nobody"]}, "is not a mail address"),
        (MAIL, {"pages": ["/"], "to": ["a@b.c"], "every": "fortnight"}, "monday 07:00"),
        ({**MAIL, "host": "mail.example.com"}, {"pages": ["/"], "to": ["a@b.c"]}, "on this machine"),
        ({**MAIL, "password": "hunter2"}, {"pages": ["/"], "to": ["a@b.c"]}, "environment variable"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    mail: dict[str, object], report: dict[str, object], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        settings_from({**TABLES, "mail": mail, "reports": {"weekly": report}})


def test_a_server_sends_what_is_due_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "LOOK_SECONDS", 0.1)
    with mail_sink() as sink:
        hour = dt.datetime.now(dt.UTC).strftime("%H:00")  # was due within the hour
        asked = project(tmp_path, sink.port, every=f"day {hour}")
        send_due(asked, FixedClock(dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC)))  # so that today's is the next
        with sent_beside(asked, SystemClock()):
            end = time.monotonic() + 60
            while not sink.mails:
                assert time.monotonic() < end
                time.sleep(0.1)
        time.sleep(0.5)
        assert len(sink.mails) == 1
