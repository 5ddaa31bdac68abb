"""Writes the examples of the API's description: `python -m tests.support.api_examples`."""

from __future__ import annotations

import json
from typing import Any

from fastapi.testclient import TestClient

from evervalue.api.openapi_examples import FILE, shortened
from evervalue.dashboard.app import create_app
from tests.support import site

GIVEN = {"customer_id": "1093", "source": "sales"}
PARAMETERS = {
    "/v1/customers": "?tier=mid&limit=2",
    "/v1/gems": "?limit=2",
    "/v1/targeting": "?budget=100&contact_cost=5",
}


def real_answers() -> dict[str, Any]:
    """Route: what was asked, and what the SaaS example answers; routes without anything to show are left out."""
    app = create_app(site.saas_data())
    found: dict[str, Any] = {}
    with TestClient(app, base_url=site.LOOPBACK) as client:
        run_id = client.get("/v1/headline").json()["meta"]["run_id"]
        for path, methods in sorted(app.openapi()["paths"].items()):
            if "get" not in methods or path.startswith("/v1/live/"):
                continue
            asked = path.format_map(_Known({**GIVEN, "run_id": run_id})) + PARAMETERS.get(path, "")
            answer = client.get(asked) if "{" not in asked else None
            if answer is not None and answer.status_code == 200:
                found[path] = {"asked": asked, "answer": shortened(answer.json())}
    return found


class _Known(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "{" + name + "}"


def main() -> None:
    FILE.write_text(json.dumps(real_answers(), indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"wrote {FILE}")


if __name__ == "__main__":
    main()
