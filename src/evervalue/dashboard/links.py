"""Addresses of pages, built in one place, so that every view has exactly one."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlencode

from evervalue.api.proxy import PREFIX


def to(path: str) -> str:
    """A path of ours as the reader's browser must ask for it.

    >>> to("/gems")
    '/gems'
    """
    return PREFIX.get() + path


def api(address: str) -> str:
    """The route under /v1 beside the address of a page.

    >>> api("/sources/sales")
    '/v1/sources/sales'
    """
    return to("/v1" + address.removeprefix(PREFIX.get()))


def customer_url(customer_id: str) -> str:
    """The page of a customer, whatever characters the key has.

    >>> customer_url("A/B ?"), customer_url("..")
    ('/customers/A%2FB%20%3F', '/customers?id=..')
    """
    if customer_id in (".", ".."):  # a browser would take these for folders
        return to("/customers?" + urlencode({"id": customer_id}))
    return to("/customers/") + quote(customer_id, safe="")


def live_url(customer_id: str) -> str:
    """The part of a customer's page that events change; under /v1 its stream. Empty for a key that no path can say.

    >>> live_url("A/B"), live_url("..")
    ('/live/A%2FB', '')
    """
    return "" if customer_id in (".", "..") else to("/live/") + quote(customer_id, safe="")


def what_if_url(customer_id: str) -> str:
    """The part of a customer's page that tries further orders. Empty for a key that no path can say.

    >>> what_if_url("A/B"), what_if_url("..")
    ('/what-if/A%2FB', '')
    """
    return "" if customer_id in (".", "..") else to("/what-if/") + quote(customer_id, safe="")


def notes_url(customer_id: str) -> str:
    """Where notes on a customer are sent. Empty for a key that no path can say.

    >>> notes_url("A/B"), notes_url("..")
    ('/notes/A%2FB', '')
    """
    return "" if customer_id in (".", "..") else to("/notes/") + quote(customer_id, safe="")


def source_url(source: str) -> str:
    """The page of a source.

    >>> source_url("crm.accounts")
    '/sources/crm.accounts'
    """
    return to("/sources/") + quote(source, safe="")


def asked_of(address: str, pairs: Iterable[tuple[str, object]]) -> str:
    """An address of ours with those parameters that say something.

    >>> asked_of("/customers/7", [("orders", 2), ("spend", None)])
    '/customers/7?orders=2'
    """
    said = [
        (name, "true" if value is True else str(value))
        for name, value in pairs
        if value not in ("", None, False)
    ]
    return f"{address}?{urlencode(said)}" if said else address


def url(path: str, pairs: Iterable[tuple[str, object]]) -> str:
    """A path with those parameters that say something.

    >>> url("/customers", [("tier", "mid"), ("q", ""), ("gems", False), ("sort", "customer")])
    '/customers?tier=mid&sort=customer'
    """
    return asked_of(to(path), pairs)
