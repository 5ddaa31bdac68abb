"""Models: what was fitted, how it would have done in the past, and how sure it is."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from evervalue.api.answers import PRIVATE, Format, etag, json_answer, meta, table_answer, unchanged
from evervalue.api.model_card import card, markdown
from evervalue.api.queries import models
from evervalue.api.routes.common import reader_of

router = APIRouter(prefix="/v1")


@router.get("/models")
def model_parts(request: Request, part: models.Part = "fits", format: Format = "json") -> Response:
    """The models of the run.

    `part`: fits (which model, why, what the data cannot tell, how far it moved since the run before), backtest (how
    well it and the other candidates would have forecast in the past, beside rules without a model), calibration
    (expected beside actual by tenth of the customers), coverage (how often intervals held, beside their
    mass), parameters.
    """
    reader = reader_of(request)
    with reader.lease() as reading:
        return table_answer(request, reader, reading, f"models-{part}", models.PARTS[part](), format)


@router.get("/models/card")
def model_card(request: Request, format: Literal["json", "md"] = "json") -> Response:
    """The model card: purpose, data, models with paper and equation, assumptions, parameters, backtest and limits.

    `md` gives it as Markdown, to keep or to print.
    """
    reader = reader_of(request)
    with reader.lease() as reading:
        tag = etag(reading, request)
        if (same := unchanged(request, tag)) is not None:
            return same
        found = card(reading)
        if format == "json":
            return json_answer(found, meta(reading, models.fits(), reading.seconds), tag)
        headers = {
            "ETag": tag,
            "Content-Disposition": f'attachment; filename="model-card-{reading.run_id}.md"',
            **PRIVATE,
        }
        return Response(markdown(found), media_type="text/markdown", headers=headers)
