"""Addresses of pages, built in one place, so that every view has exactly one."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlencode


def customer_url(customer_id: str) -> str:
    """The page of a customer, whatever characters the key has.

    >>> customer_url("A/B ?"), customer_url("..")
    ('/customers/A%2FB%20%3F', '/customers?id=..')
    """
    if customer_id in (".", ".."):  # a browser would take these for folders
        return "/customers?" + urlencode({"id": customer_id})
    return "/customers/" + quote(customer_id, safe="")


def live_url(customer_id: str) -> str:
    """The part of a customer's page that events change; under /v1 its stream. Empty for a key that no path can say.

    >>> live_url("A/B"), live_url("..")
    ('/live/A%2FB', '')
    """
    return "" if customer_id in (".", "..") else "/live/" + quote(customer_id, safe="")


def source_url(source: str) -> str:
    """The page of a source.

    >>> source_url("crm.accounts")
    '/sources/crm.accounts'
    """
    return "/sources/" + quote(source, safe="")


def url(path: str, pairs: Iterable[tuple[str, object]]) -> str:
    """A path with those parameters that say something.

    >>> url("/customers", [("tier", "mid"), ("q", ""), ("gems", False), ("sort", "customer")])
    '/customers?tier=mid&sort=customer'
    """
    said = [
        (name, "true" if value is True else str(value))
        for name, value in pairs
        if value not in ("", None, False)
    ]
    return f"{path}?{urlencode(said)}" if said else path
