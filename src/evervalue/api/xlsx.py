"""One table as an XLSX workbook, written row by row, so that its size does not matter.

Text is written as text (inline strings), so no cell is ever a formula; numbers are numbers and days are days.
"""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from tempfile import SpooledTemporaryFile
from typing import IO
from xml.sax.saxutils import escape, quoteattr

MOST_ROWS = 1_048_576
"""What a worksheet holds, its head included."""

DAY_ZERO = dt.date(1899, 12, 30)
IN_MEMORY = 8_000_000
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
    '<Override PartName="/xl/styles.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="rId1" '
    f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{RELATIONS}">'
    f'<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
    # style 1 is a day, style 2 the bold head
    "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><fonts count="2"><font/><font><b/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3"><xf/>'
    '<xf numFmtId="14" applyNumberFormat="1"/><xf fontId="1" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
}


def workbook(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """The workbook's bytes, in pieces; `name` is the sheet's.

    Raises
    ------
    ValueError
        There are more rows than a worksheet holds.
    """
    with SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
            for part, text in PARTS.items():
                archive.writestr(part, HEAD + text)
            archive.writestr(
                "xl/workbook.xml",
                f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
                f'<sheet name={quoteattr(name[:31])} sheetId="1" r:id="rId1"/></sheets></workbook>',
            )
            with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
                _write(sheet, head, rows)
        file.seek(0)
        while piece := file.read(65_536):
            yield piece


def _write(sheet: IO[bytes], head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    sheet.write(f'{HEAD}<worksheet xmlns="{MAIN}"><sheetData>'.encode())
    sheet.write(_row([f'<c t="inlineStr" s="2"><is><t>{escape(n)}</t></is></c>' for n in head]))
    for number, row in enumerate(rows, start=2):
        if number > MOST_ROWS:
            raise ValueError(f"a worksheet holds {MOST_ROWS - 1:,} rows; take CSV")
        sheet.write(_row([_cell(value) for value in row]))
    sheet.write(b"</sheetData></worksheet>")


def _row(cells: list[str]) -> bytes:
    return f"<row>{''.join(cells)}</row>".encode()


def _cell(value: object) -> str:
    """One cell.

    >>> _cell(Decimal("10308.6297")), _cell(dt.date(2024, 1, 1)), _cell(None)
    ('<c><v>10308.6297</v></c>', '<c s="1"><v>45292</v></c>', '<c/>')
    >>> _cell("=1+1")
    '<c t="inlineStr"><is><t xml:space="preserve">=1+1</t></is></c>'
    """
    if value is None:
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float | Decimal):
        return f"<c><v>{format(value, 'f') if isinstance(value, Decimal) else value}</v></c>"
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return f'<c s="1"><v>{(value - DAY_ZERO).days}</v></c>'
    text = escape(NOT_XML.sub("�", str(value))[:32_767])
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
