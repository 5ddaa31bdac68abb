"""A small provider of OpenID Connect on loopback, which can be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

Spoil = Callable[[dict[str, Any]], None]


class SmallProvider:
    """Recognises whoever comes as `claims`; `spoil` may change what its token says, `head` how it is signed."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = "one"
        self.client_id, self.client_secret = "evervalue", "a secret of the tests & more"
        self.claims: dict[str, Any] = {"sub": "42", "preferred_username": "ann", "groups": ["value-admins"]}
        self.spoil: Spoil = lambda claims: None
        self.sign: Callable[[dict[str, Any]], str] | None = None
        self.described: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.now = 0.0
        self.issuer = ""
        self.asked: list[str] = []

    def authorize(self, address: str) -> str:
        """What the person's browser is sent back to, after it was sent to that address."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert asked["response_type"] == "code"
        assert asked["client_id"] == self.client_id
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.issuer}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """The answer of the token endpoint, which looks at client, code, address and PKCE."""
        asked = self.codes.pop(form.get("code", ""), None)
        name, _, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        is_good = (
            asked is not None
            and name == self.client_id
            and password == "a%20secret%20of%20the%20tests%20%26%20more"
            and form["redirect_uri"] == asked["redirect_uri"]
            and challenge.rstrip(b"=").decode() == asked["code_challenge"]
        )
        if not is_good or asked is None:
            return 400, {"error": "invalid_grant"}
        claims = {
            "iss": self.issuer, "aud": self.client_id, "iat": self.now, "exp": self.now + 300,
            "nonce": asked["nonce"], **self.claims,
        }  # fmt: skip
        self.spoil(claims)
        signed = self.sign(claims) if self.sign else self.signed(claims)
        return 200, {"id_token": signed, "access_token": "x", "token_type": "Bearer"}

    def signed(self, claims: dict[str, Any]) -> str:
        """A token with its own key."""
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.kid})

    def answer(self, path: str) -> dict[str, Any]:
        """What it says of itself."""
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.issuer,
                "authorization_endpoint": self.issuer + "/authorize",
                "token_endpoint": self.issuer + "/token",
                "jwks_uri": self.issuer + "/keys",
                **self.described,
            }
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": "RS256"}]}


@contextmanager
def provided() -> Iterator[SmallProvider]:
    """A provider that runs."""
    provider = SmallProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked.append(self.path)
            self._send(200, provider.answer(self.path))

        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self._send(*provider.token(form, self.headers.get("Authorization", "")))

        def _send(self, status: int, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            if status == 302:
                self.send_header("Location", body["to"])
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
