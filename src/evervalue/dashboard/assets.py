"""The static files: held in memory, compressed once, under an address that changes whenever one of them does.

All files share one content hash in their path (`/static/<hash>/app.css`), so that a stylesheet can name its
font by a relative address and everything may be cached for ever.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True)
class Asset:
    """One file, as it is sent."""

    body: bytes
    squeezed: bytes | None
    media_type: str


@dataclass(frozen=True)
class Bundle:
    """All static files and their common hash."""

    digest: str
    files: dict[str, Asset]

    def url(self, name: str) -> str:
        """The address of a file."""
        if name not in self.files:
            raise KeyError(f"there is no static file {name}")
        return f"/static/{self.digest}/{name}"


@lru_cache(maxsize=1)
def bundle() -> Bundle:
    """The static files, read once a process."""
    files: dict[str, Asset] = {}
    digest = hashlib.sha256()
    for path in sorted(p for p in FOLDER.rglob("*") if p.suffix in TYPES):
        body = path.read_bytes()
        name = path.relative_to(FOLDER).as_posix()
        digest.update(name.encode() + b"\0" + body)
        squeezed = None if path.suffix == ".woff2" else gzip.compress(body, 9, mtime=0)
        files[name] = Asset(body, squeezed, TYPES[path.suffix])
    return Bundle(digest.hexdigest()[:12], files)


def serve(request: Request) -> Response:
    """A static file; only the current hash is known, so an old page never gets a new script under an old name."""
    held = bundle()
    asset = held.files.get(request.path_params["name"])
    if asset is None or request.path_params["digest"] != held.digest:
        raise HTTPException(404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    if asset.squeezed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            asset.squeezed, headers={**headers, "Content-Encoding": "gzip"}, media_type=asset.media_type
        )
    # said outright, so that the compressing middleware leaves what is compressed already (the font) alone
    plain = {"Content-Encoding": "identity"} if asset.squeezed is None else {}
    return Response(asset.body, headers={**headers, **plain}, media_type=asset.media_type)
