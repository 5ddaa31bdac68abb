"""Types that hold what two others hold: what becomes of a column whose cells come in another type than before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

TEXT = "VARCHAR"
INTEGERS = ("SMALLINT", "INTEGER", "BIGINT", "HUGEINT")


def wider_type(held: str, wanted: str) -> str:
    """The type that holds both: the longer of two whole numbers, a decimal with room for either, else text.

    >>> (
    ...     wider_type("INTEGER", "BIGINT"),
    ...     wider_type("DECIMAL(10,2)", "DECIMAL(12,4)"),
    ...     wider_type("DATE", "INTEGER"),
    ... )
    ('BIGINT', 'DECIMAL(12,4)', 'VARCHAR')
    """
    if held == wanted:
        return held
    if held in INTEGERS and wanted in INTEGERS:
        return max(held, wanted, key=INTEGERS.index)
    if held == "FLOAT" and wanted == "DOUBLE":
        return wanted
    if held.startswith("DECIMAL(") and wanted.startswith("DECIMAL("):
        (p, s), (q, r) = (
            tuple(int(n) for n in t.removeprefix("DECIMAL(").rstrip(")").split(",")) for t in (held, wanted)
        )
        whole, scale = max(p - s, q - r), max(s, r)
        return f"DECIMAL({whole + scale},{scale})" if whole + scale <= 38 else TEXT
    return TEXT


def same_or_text(held: str, wanted: str) -> str:
    """The type, where it stays; text where it does not: cells of files mean nothing by their type alone.

    >>> same_or_text("INTEGER", "BIGINT")
    'VARCHAR'
    """
    return held if held == wanted else TEXT


def to_change(
    held: Mapping[str, str],
    wanted: Iterable[tuple[str, str]],
    both: Callable[[str, str], str] = wider_type,
) -> dict[str, str]:
    """The columns that a table lacks, and those that must have another type, so that it can hold `wanted`.

    `both` gives the type that holds a column's cells of before and those that come. Names are compared without case;
    a column that is there is called as the table calls it.

    >>> to_change(
    ...     {"Id": "INTEGER", "note": "VARCHAR"}, [("id", "BIGINT"), ("note", "DATE"), ("paid", "DATE")]
    ... )
    {'Id': 'BIGINT', 'paid': 'DATE'}
    """
    there = {name.lower(): name for name in held}
    changed = {}
    for name, type in wanted:
        known = there.get(name.lower())
        if known is None:
            changed[name] = type
        elif (to := both(held[known], type)) != held[known]:
            changed[known] = to
    return changed
