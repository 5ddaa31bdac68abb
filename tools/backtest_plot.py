"""Draws docs/img/methods/backtest.png: `python tools/backtest_plot.py`. The four plots of a backtest on CDNOW."""

from __future__ import annotations

import io
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import matplotlib  # noqa: E402

matplotlib.use("agg")
import polars as pl  # noqa: E402
from PIL import Image  # noqa: E402

import evervalue as ev  # noqa: E402
from tests.support import cdnow  # noqa: E402

FILE = ROOT / "docs" / "img" / "methods" / "backtest.png"
MOST_BYTES = 60_000


def main() -> None:
    orders = pl.DataFrame(cdnow.orders(), schema=["customer_id", "order_date", "monetary"], orient="row")
    report = ev.backtest(orders, horizon="39W", origins=1)
    FILE.parent.mkdir(parents=True, exist_ok=True)
    drawn = io.BytesIO()
    report.plot().savefig(drawn, dpi=80)
    # Few colours are enough for lines and text, and a third of the bytes.
    Image.open(drawn).convert("RGB").quantize(48).save(FILE, optimize=True)
    print(report)
    print(f"{FILE.relative_to(ROOT)}: {FILE.stat().st_size:,} bytes")
    if FILE.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{FILE.name} is larger than {MOST_BYTES:,} bytes")


if __name__ == "__main__":
    main()
