"""Every page keeps WCAG 2.2 A and AA in light and dark, wide and narrow, with its panels open."""

from __future__ import annotations

import pytest

from tests.browser.axe import violations
from tests.browser.conftest import Open

PAGES = [
    "/",
    "/gems",
    "/gems?action=loyalty",
    "/gems?q=nothing-has-this",
    "/segments",
    "/value",
    "/value?tier=high&region=APJ",
    "/models",
    "/models?target=orders&measure=bias",
    "/segments?pair=F-M",
    "/customers",
    "/customers?tier=mid&sort=-revenue",
    "/customers?q=nothing-has-this",
    "/cohorts",
    "/cohorts?by=month&measure=margin",
    "/revenue?by=country",
    "/revenue?by=discount&q=nothing-has-this",
    "/revenue?by=product&value=Alchemy",
    "/customers/1093",
    "/sources",
    "/sources/sales",
    "/runs",
    "/changes",
    "/customers/1093?orders=5&spend=20",
    "/customers?r_score=4&f_score=4",
    "/tables",
    "/admin",
    "/account",
    "/v1/docs",
    "/tables/insight.hidden_gems",
    "/act",
    "/act?q=nothing-has-this",
    "/act/targeting?budget=500",
    "/act/targeting?contact_cost=1000000",
    "/act/audiences?tier=mid",
]
OPEN_ALL = "document.querySelectorAll('details').forEach(d => { d.open = true })"


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", PAGES)
def test_no_violations(open_page: Open, path: str, theme: str) -> None:
    page = open_page(path, color_scheme=theme).page
    page.evaluate(OPEN_ALL)
    page.wait_for_load_state("networkidle")
    assert violations(page) == []


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/gems", "/segments", "/customers", "/customers/1093"])
def test_no_violations_on_a_phone(open_page: Open, path: str, theme: str) -> None:
    page = open_page(path, color_scheme=theme, width=375).page
    page.get_by_role("button", name="Menu").click()
    assert violations(page) == []
