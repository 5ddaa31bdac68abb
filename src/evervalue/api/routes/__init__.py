"""The routes under /v1. Each builds a query object, runs it on the current snapshot and answers in one shape."""

from __future__ import annotations

from evervalue.api.routes import (
    actions,
    audiences,
    cohorts,
    compare,
    customers,
    insight,
    models,
    notes,
    revenue,
    runs,
    sources,
    value,
    what_if,
)

ROUTERS = (
    insight.router,
    customers.router,
    sources.router,
    runs.router,
    compare.router,
    what_if.router,
    notes.router,
    cohorts.router,
    revenue.router,
    actions.router,
    audiences.router,
    value.router,
    models.router,
)
"""In the order of the description; each topic has a file of its own."""
