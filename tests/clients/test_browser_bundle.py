"""The browser bundle of @segment/analytics-next, unmodified, in Chromium, on a page of another site than ours."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from evervalue.collector.log import LOG, EventLog, Stored
from tests.crash.test_kill_collector import Server
from tests.support.collecting import Collecting, collecting
from tests.support.projects import evervalue, project

SNIPPET = """<!doctype html><meta charset="utf-8"><title>Shop</title><script>
const waiting = window.analytics = [];
for (const name of ["track", "identify", "page", "group", "alias", "reset", "ready"])
  waiting[name] = (...given) => waiting.push([name, ...given]);
waiting._writeKey = "%s"; waiting._cdn = "%s";
waiting.page("Home"); waiting.track("Snippet Loaded");
</script><script src="umd/standalone.js"></script>"""

Started = Callable[..., Page]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    with collecting(tmp_path_factory.mktemp("data")) as found:
        yield found


@pytest.fixture
def page(browser: Browser, shop: str) -> Iterator[Page]:
    """The shop's page in a browser without cookies."""
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(shop)
    yield opened
    context.close()


def load(page: Page, key: str, url: str, **segment: Any) -> None:
    """Starts the bundle on a page, as a site does."""
    options = {"integrations": {"Segment.io": segment}} if segment else {}
    page.evaluate(
        "async ([settings, options]) => { window.analytics = AnalyticsNext.AnalyticsBrowser.load(settings, options);"
        " await window.analytics; }",
        [{"writeKey": key, "cdnURL": url}, options],
    )


def stored(log: EventLog, after: int, n: int, seconds: float = 15.0) -> list[Stored]:
    """The events behind `after`, once they are `n`; a moment longer is waited for one too many."""
    until = time.monotonic() + seconds
    while (found := log.read(after, 10_000)) is not None:
        if len(found) >= n or time.monotonic() > until:
            break
        time.sleep(0.05)
    time.sleep(0.3)
    return log.read(after, 10_000)


def test_each_call_is_stored_with_who_it_was(web: Collecting, page: Page) -> None:
    after = web.log().last()
    load(page, web.key, web.url)
    page.evaluate("""async () => {
        await analytics.page("Docs", "Home");
        await analytics.track("Product Viewed", { price: 12.5, name: "Überraschung" });
        await analytics.alias("u1");
        await analytics.identify("u1", { email: "ada@b.biz" });
        await analytics.group("g1", { name: "Initech" });
        await analytics.screen("Main");
        await analytics.reset();
        await analytics.track("Left");
    }""")
    found = {e.type: json.loads(e.body) for e in stored(web.log(), after, 7) if b"Left" not in e.body}
    (left,) = [json.loads(e.body) for e in web.log().read(after) if b"Left" in e.body]
    assert sorted(found) == ["alias", "group", "identify", "page", "screen", "track"]
    (who,) = {body["anonymousId"] for body in found.values()}
    assert found["page"]["userId"] is None
    assert found["track"]["properties"] == {"price": 12.5, "name": "Überraschung"}
    assert found["track"]["context"]["page"]["title"] == "Shop"
    assert {found[kind]["userId"] for kind in ("identify", "group", "screen")} == {"u1"}
    assert (found["alias"]["userId"], found["alias"]["previousId"]) == ("u1", who)
    assert left["userId"] is None
    assert left["anonymousId"] != who
    cookies = {c["name"]: c["value"] for c in page.context.cookies()}
    assert cookies["ajs_anonymous_id"] == left["anonymousId"]


def test_the_anonymous_id_lasts_from_page_to_page(web: Collecting, page: Page) -> None:
    after = web.log().last()
    for _ in range(2):
        load(page, web.key, web.url)
        page.evaluate("() => analytics.track('Seen')")
        page.reload()
    found = [json.loads(event.body) for event in stored(web.log(), after, 2)]
    assert len(found) == 2
    assert len({body["anonymousId"] for body in found}) == 1


def test_batches_are_sent_together_and_stored_once(web: Collecting, page: Page) -> None:
    after, asked = web.log().last(), []
    page.on("request", lambda request: asked.append((request.method, request.url)))
    load(
        page, web.key, web.url, deliveryStrategy={"strategy": "batching", "config": {"size": 10, "timeout": 300}}
    )  # fmt: skip
    page.evaluate("async () => { for (let n = 0; n < 25; n += 1) await analytics.track('Seen', { n }); }")
    found = Counter(json.loads(event.body)["properties"]["n"] for event in stored(web.log(), after, 25))
    assert found == dict.fromkeys(range(25), 1)
    posts = [url for method, url in asked if method == "POST"]
    assert set(posts) == {f"{web.url}/v1/b"}
    assert len(posts) <= 4


@pytest.mark.parametrize("seen_before", [True, False], ids=["asked-before", "never-asked"])
def test_what_waits_when_the_page_is_left_is_stored(web: Collecting, page: Page, seen_before: bool) -> None:
    """The batch is sent while the page goes, also where the browser must first ask whether it may."""
    load(
        page,
        web.key,
        web.url,
        deliveryStrategy={"strategy": "batching", "config": {"size": 5, "timeout": 60_000}},
    )
    after = web.log().last()
    if seen_before:
        page.evaluate("async () => { for (let n = 0; n < 5; n += 1) await analytics.track('Before'); }")
        assert len(stored(web.log(), after, 5)) == 5
        after = web.log().last()
    page.evaluate("async () => { for (let n = 0; n < 3; n += 1) await analytics.track('Seen', { n }); }")
    page.goto("about:blank")
    found = Counter(json.loads(event.body)["properties"]["n"] for event in stored(web.log(), after, 3))
    assert found == dict.fromkeys(range(3), 1)


@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
def test_a_beacon_is_stored(web: Collecting, page: Page, kind: str) -> None:
    after = web.log().last()
    body = json.dumps({"userId": "u", "event": "Closed", "messageId": kind, "writeKey": web.key})
    sent = "([url, body, type]) => navigator.sendBeacon(url, new Blob([body], { type }))"
    assert page.evaluate(sent, [f"{web.url}/v1/t", body, kind]) is True
    page.goto("about:blank")
    assert [event.message_id for event in stored(web.log(), after, 1)] == [kind]


def test_the_snippet_with_the_standalone_bundle(web: Collecting, page: Page, files: Path, shop: str) -> None:
    after = web.log().last()
    (files / "snippet.html").write_text(SNIPPET % (web.key, web.url))
    page.goto(f"{shop}/snippet.html")
    assert sorted(event.type for event in stored(web.log(), after, 2)) == ["page", "track"]


@pytest.mark.slow
def test_what_is_sent_while_the_server_is_killed_is_stored_once(page: Page, tmp_path: Path) -> None:
    """By its own tries again, and by what it keeps in the browser from one page to the next."""
    folder = project(tmp_path / "shop", {"sales.csv": "order,date,customer,amount\n"})
    key = evervalue("keys", "create", "web", cwd=folder).stdout.strip()
    server = Server(folder)
    n = 300
    try:
        url = f"http://127.0.0.1:{server.port}"
        load(page, key, url)
        page.evaluate(
            "(most) => { let n = 0; const send = () => { analytics.track('Seen', { n: n++ });"
            " if (n < most) setTimeout(send, 10); }; send(); }",
            n,
        )
        for _ in range(4):
            page.wait_for_timeout(500)
            server.kill()
            server.process = server.start()
        page.wait_for_timeout(2000)
        server.kill()
        page.evaluate("() => { for (let n = 0; n < 5; n += 1) analytics.track('Offline', { n: 1000 + n }); }")
        page.wait_for_timeout(1000)
        page.reload()
        server.process = server.start()
        load(page, key, url)
        log = EventLog(folder / "evervalue-data" / LOG)
        until = time.monotonic() + 90
        while len(log.read(0, 10_000)) < n + 5 and time.monotonic() < until:
            page.wait_for_timeout(200)
        seen = Counter(json.loads(event.body)["properties"]["n"] for event in log.read(0, 10_000))
        log.close()
    finally:
        server.kill()
    assert seen == dict.fromkeys([*range(n), *range(1000, 1005)], 1)
