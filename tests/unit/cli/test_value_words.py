"""What the commands say of value is said once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import evervalue

NEW = "customer,date,amount\n" + "".join(f"c{n},2024-01-{n:02},10\n" for n in range(1, 20))
FEW = "customer,date,amount\n" + "".join(
    f"c{n % 40},2024-0{1 + n // 100}-{1 + (n * 7) % 28:02},{10 + n % 13}\n" for n in range(300)
)


@pytest.mark.parametrize(
    ("file", "options", "says"),
    [
        (NEW, (), "Nobody bought a second time"),
        (NEW, (), "Everyone is taken to buy at one rate"),
        (FEW, ("--model", "bg-nbd", "--spend", "gamma-gamma", "--recalibrate"), "Not recalibrated: "),
        (FEW, ("--model", "bg-nbd", "--spend", "gamma-gamma"), "BG/NBD was asked for."),
    ],
)
def test_once(file: str, options: tuple[str, ...], says: str, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(file)
    done = evervalue("clv", "sales.csv", "--quiet", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert " ".join((done.stdout + done.stderr).split()).count(says) == 1
