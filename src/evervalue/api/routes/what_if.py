"""What would become of a customer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from evervalue.api.answers import etag, json_answer, meta, unchanged
from evervalue.api.errors import NotFound
from evervalue.api.profile import profile
from evervalue.api.queries import live as asked
from evervalue.api.routes.common import reader_of
from evervalue.api.what_if import WhatIfRequest, what_if

router = APIRouter(prefix="/v1")


@router.get("/what-if/{customer_id:key}")
def one_what_if(request: Request, customer_id: str, wish: Annotated[WhatIfRequest, Query()]) -> Response:
    """One customer rescored with further orders, or after a longer silence, everyone else as they are.

    `now` and `then` have figures, scores, tier and expected value; `worth` is what the further orders bring
    (`orders_worth`) and what is expected to follow from them (`clv_gain`). `then` is null where it cannot be tried.
    """
    with reader_of(request).lease() as reading:
        tag = etag(reading, request)
        if (same := unchanged(request, tag)) is not None:
            return same
        known = profile(reading, customer_id)
        if known is None:
            raise NotFound(
                f"There is no customer with the key '{customer_id[:200]}' in run {reading.run_id}."
            )
        row = what_if(reading, known, wish.wish())
        return json_answer(row, meta(reading, asked.thresholds(), reading.seconds), tag)
