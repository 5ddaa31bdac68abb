"""A page as a file of its own: styles, font and scripts inside, nothing to press, links to the server or none."""

from __future__ import annotations

import base64
import re
from html import escape
from html.parser import HTMLParser

from evervalue.dashboard.assets import bundle

VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr", "source", "col"})
LEFT_OUT = frozenset({"form", "dialog", "nav", "button", "noscript", "header", "template"})
"""Elements that are for a live page alone."""
LEFT_OUT_CLASSES = frozenset(
    {"chooser", "views", "find", "theme", "computed", "links", "picture", "skip", "pager"}
)
LEFT_OUT_IDS = frozenset({"offline", "keys"})
HANDLERS = re.compile(r"hx-|on|data-(?:stream|events|live)")
CHARTS = ("vendor/charts.js", "app.js")


class _Main(HTMLParser):
    """What stands in <main>, without what a file cannot do."""

    def __init__(self, base: str) -> None:
        super().__init__(convert_charrefs=False)
        self.base = base
        self.parts: list[str] = []
        self.headings: list[str] = []
        self._depth = 0
        self._inside = 0
        self._left_out = 0
        self._left_tag = ""
        self._heading = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._start(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._start(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def _start(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "main":
            self._inside = 1
            return
        if not self._inside:
            return
        if self._left_out:
            self._left_out += tag == self._left_tag
            return
        known = dict(attrs)
        classes = set((known.get("class") or "").split())
        waits = "load" in (known.get("hx-trigger") or "")  # a part that a page asks for once it is there
        named = classes & LEFT_OUT_CLASSES or known.get("id") in LEFT_OUT_IDS
        if tag in LEFT_OUT or named or waits or tag == "input":
            self._left_out, self._left_tag = int(tag not in VOID), tag
            return
        if tag in ("h1", "h2"):
            self._heading = tag
            self.headings.append("")
        kept = [(name, self._value(tag, name, value)) for name, value in attrs if not HANDLERS.match(name)]
        text = "".join(f' {n}="{escape(v)}"' if v is not None else f" {n}" for n, v in kept if v != "\0")
        self.parts.append(f"<{tag}{text}>")

    def _value(self, tag: str, name: str, value: str | None) -> str | None:
        """The value; a link leads to the server where its address is known, else nowhere."""
        if tag == "a" and name == "href" and value and not value.startswith("#"):
            return self.base + value if self.base and value.startswith("/") else "\0"
        if name in ("src", "action", "srcset"):
            return "\0"
        return value

    def handle_endtag(self, tag: str) -> None:
        if not self._inside:
            return
        if tag == "main":
            self._inside = 0
        elif self._left_out:
            self._left_out -= tag == self._left_tag
        elif tag not in VOID:
            if tag == self._heading:
                self._heading = ""
            self.parts.append(f"</{tag}>")

    def _text(self, text: str) -> None:
        if self._inside and not self._left_out:
            self.parts.append(text)
            if self._heading:
                self.headings[-1] += text

    def handle_data(self, data: str) -> None:
        self._text(data)

    def handle_entityref(self, name: str) -> None:
        self._text(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._text(f"&#{name};")


def main_of(page: str, base: str = "") -> tuple[str, list[str]]:
    """The content of a page without what only a live page can do, and its headings as HTML text.

    Parameters
    ----------
    page
        HTML as the server sends it.
    base
        Address of the server that links are to lead to; empty takes the links away.

    Examples
    --------
    >>> main_of('<main><h1>A &amp; B</h1><form>x<br></form><a href="/gems">gems</a></main>')
    ('<h1>A &amp; B</h1><a>gems</a>', ['A &amp; B'])
    """
    found = _Main(base)
    found.feed(page)
    found.close()
    return "".join(found.parts), [" ".join(heading.split()) for heading in found.headings]


def document(title: str, sections: list[str], *, language: str, currency: str, note: str) -> str:
    """A whole HTML file of several pages, one after the other.

    Parameters
    ----------
    title
        Shown and in the head, as plain text.
    sections
        Contents of pages, as `main_of` gives them.
    language, currency
        How charts write numbers: a language tag ('de-DE') and a currency ('EUR').
    note
        What stands at its end, as plain text.
    """
    files = bundle().files
    font = base64.b64encode(files["vendor/inter.woff2"].body).decode()
    style = files["app.css"].body.decode().replace("vendor/inter.woff2", f"data:font/woff2;base64,{font}")
    scripts = "\n".join(f"<script>{_script(files[name].body.decode())}</script>" for name in CHARTS)
    pages = "\n".join(
        f'<section class="report-page">{_apart(part, i)}</section>' for i, part in enumerate(sections)
    )
    return (
        f'<!doctype html>\n<html lang="en" data-locale="{escape(language)}" data-currency="{escape(currency)}">\n<head>'
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title>\n'
        f"<style>{style}</style></head>\n"
        f'<body class="report"><main id="main"><p class="eyebrow">{escape(title)}</p>\n{pages}\n'
        f'<footer class="foot"><span>{escape(note)}</span></footer></main>\n'
        f'<div id="offline" hidden></div>{scripts}\n</body></html>\n'
    )


def _apart(section: str, number: int) -> str:
    """The section with ids of its own, for two pages may use the same."""
    return re.sub(
        r'\b(id|aria-labelledby|data-chart|for|headers|href)="(#?)([A-Za-z][\w.:-]*)"',
        lambda m: m[0] if m[1] == "href" and not m[2] else f'{m[1]}="{m[2]}p{number}-{m[3]}"',
        section,
    )


def _script(text: str) -> str:
    return text.replace("</script", "<\\/script")
