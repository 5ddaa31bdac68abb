"""The accessibility checker (axe-core, vendored under `vendor/` with its licence), run inside a page."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
RUN = "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})"


@cache
def source() -> str:
    return (Path(__file__).parent / "vendor" / "axe.min.js").read_text("utf-8")


def violations(page: Page) -> list[str]:
    """What breaks WCAG 2.2 A or AA on the page, one line a rule and place."""
    page.evaluate(source())
    found = page.evaluate(RUN, TAGS)
    assert len(found["passes"]) > 10, "the checker has looked at the page"
    return [
        f"{rule['id']} at {' '.join(str(t) for t in node['target'])}: {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
