"""Takes the pictures of the README: `python tools/screenshots.py`. Needs Chromium (EVERVALUE_CHROMIUM names it).

The SaaS example goes through the real pipeline with a clock that stands still, so that a picture changes only when
a page does. With Pillow installed (it is not among our dependencies) the pictures are reduced to 256 colours.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402

from evervalue.core.clock import FixedClock  # noqa: E402
from evervalue.dashboard.app import create_app  # noqa: E402
from tests.support.projects import NOON  # noqa: E402
from tests.support.site import saas_data, serving  # noqa: E402

PICTURES = [
    ("overview.png", "/", "light", 1120),
    ("gems.png", "/gems", "light", 1240),
    ("gems-dark.png", "/gems", "dark", 1240),
]
MOST_BYTES = 200_000


def main() -> None:
    """Writes docs/img."""
    chromium = os.environ.get("EVERVALUE_CHROMIUM", "/usr/bin/chromium")
    folder = ROOT / "docs" / "img"
    folder.mkdir(parents=True, exist_ok=True)
    with serving(create_app(saas_data(), clock=FixedClock(NOON))) as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, path, theme, height in PICTURES:
            page = browser.new_page(
                viewport={"width": 1440, "height": height},
                color_scheme="dark" if theme == "dark" else "light",
                locale="en-US",
                reduced_motion="reduce",
            )
            page.goto(base + path)
            page.wait_for_function("document.querySelectorAll('.chart svg').length === 2")
            page.evaluate("document.fonts.ready")
            page.screenshot(path=folder / name)
            _reduce(folder / name)
            size = (folder / name).stat().st_size
            print(f"{name}: {size / 1000:.0f} KB")
            assert size < MOST_BYTES, "a picture in the README stays small"
            page.close()
        browser.close()


def _reduce(picture: Path) -> None:
    """The picture in 256 colours, where Pillow is there to do it."""
    try:
        image = importlib.import_module("PIL.Image")
    except ImportError:
        return
    with image.open(picture) as found:
        found.convert("RGB").quantize(256, method=0, dither=0).save(picture, optimize=True)


if __name__ == "__main__":
    main()
