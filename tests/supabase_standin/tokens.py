"""Keys and tokens of a project: JSON Web Tokens signed with HS256, as Supabase's own."""

import base64
import hashlib
import hmac
import json
from typing import Any

Claims = dict[str, Any]


class BadToken(Exception):
    """Not a token of this project, or one that has expired."""

    def __init__(self, has_expired: bool = False) -> None:
        super().__init__()
        self.has_expired = has_expired


def signed(claims: Claims, secret: str) -> str:
    head = _packed(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = f"{head}.{_packed(json.dumps(claims).encode())}"
    return f"{body}.{_signature(body, secret)}"


def verified(token: str, secret: str, now_s: float) -> Claims:
    """The claims of a token. Raises BadToken."""
    body, _, signature = token.rpartition(".")
    if body.count(".") != 1 or not hmac.compare_digest(signature, _signature(body, secret)):
        raise BadToken
    payload = body.partition(".")[2]
    claims: Claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if claims.get("exp", float("inf")) <= now_s:
        raise BadToken(has_expired=True)
    return claims


def _signature(body: str, secret: str) -> str:
    return _packed(hmac.digest(secret.encode(), body.encode(), hashlib.sha256))


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
