"""A report as a PDF, printed by the Chromium of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from evervalue.core.errors import MissingExtra
from evervalue.core.settings import variable

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 120


def printed(html: str) -> bytes:
    """The file as a PDF.

    Raises
    ------
    MissingExtra
        There is no Chromium here, or it cannot print.
    """
    named = variable("EVERVALUE_CHROMIUM")
    program = named or next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        raise MissingExtra(
            "A PDF needs Chromium on this machine. Install it (Debian: apt-get install chromium), name it in "
            'EVERVALUE_CHROMIUM, or set format = "html".'
        )
    with tempfile.TemporaryDirectory(prefix="evervalue-report-") as folder:
        page, file = Path(folder) / "report.html", Path(folder) / "report.pdf"
        page.write_text(html, "utf-8")
        command = [
            program, "--headless", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder}/profile",
            "--no-pdf-header-footer", "--virtual-time-budget=5000", f"--print-to-pdf={file}", page.as_uri(),
        ]  # fmt: skip
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.insert(
                1, "--no-sandbox"
            )  # Chromium has none for root; the page is our own, without addresses
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
            return file.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            raise MissingExtra(f"{program} could not print the report ({type(error).__name__}).") from None
