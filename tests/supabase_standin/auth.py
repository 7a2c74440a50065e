"""The part that is shaped like GoTrue: users, passwords and sessions."""

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from supabase_standin.tokens import BadToken, signed, verified

if TYPE_CHECKING:
    from supabase_standin.project import Project

_VERSION = {"X-Supabase-Api-Version": "2024-01-01"}


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.content = {"code": code, "message": message, **more}


def answer(project: "Project", request: Request, body: bytes) -> Response:
    place = request.path_params["name"]
    given = json.loads(body) if body else {}
    grant = request.query_params.get("grant_type")
    try:
        if place == "signup":
            return _signup(project, given)
        if place == "token" and grant == "password":
            return _password(project, given)
        if place == "token" and grant == "refresh_token":
            return _refresh(project, given["refresh_token"])
        if place == "token" and grant == "pkce":
            return _code(project, given)
        if place == "recover":
            return _recover(project, given, request)
        if place == "verify":
            return _verify(project, request)
        if place in ("user", "logout"):
            return _own(project, place, request, given)
    except Refused as refused:
        return JSONResponse(refused.content, refused.status, headers=_VERSION)
    return JSONResponse({"code": "not_found", "message": f"no {place}"}, 404)


def hashed(password: str) -> str:
    """Nobody's real password comes here, so that it may be quick."""
    return hashlib.sha256(password.encode()).hexdigest()


def _signup(project: "Project", given: dict[str, Any]) -> Response:
    if len(given["password"]) < 6:
        reasons = {"reasons": ["length"], "message": "too short"}
        message = "Password should be at least 6 characters."
        raise Refused(422, "weak_password", message, weak_password=reasons)
    if project.rows("select 1 from auth.users where email = %s", given["email"]):
        raise Refused(422, "user_already_exists", "User already registered")
    user_id = project.add_user(
        given["email"], given["password"], is_confirmed=not project.confirms_email
    )
    if project.confirms_email:
        return JSONResponse(_user(project, user_id))
    return _session(project, user_id)


def _password(project: "Project", given: dict[str, Any]) -> Response:
    found = project.rows(
        "select id::text, email_confirmed_at is not null from auth.users"
        " where email = %s and encrypted_password = %s",
        given["email"],
        hashed(given["password"]),
    )
    if not found:
        raise Refused(400, "invalid_credentials", "Invalid login credentials")
    if not found[0][1]:
        raise Refused(400, "email_not_confirmed", "Email not confirmed")
    return _session(project, found[0][0])


def _refresh(project: "Project", token: str) -> Response:
    found = project.rows(
        "update auth.refresh_tokens set revoked = true where token = %s and not revoked"
        " returning user_id::text, session_id::text",
        token,
    )
    if not found:
        raise Refused(
            400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found"
        )
    return _session(project, *found[0])


def _recover(project: "Project", given: dict[str, Any], request: Request) -> Response:
    found = project.rows("select id::text from auth.users where email = %s", given["email"])
    if found:
        code = project.rows(
            "insert into auth.flow_state (user_id, code_challenge) values (%s, %s)"
            " returning auth_code",
            found[0][0],
            given["code_challenge"],
        )[0][0]
        back = request.query_params.get("redirect_to", "http://127.0.0.1:3000")
        query = urlencode({"token": code, "type": "recovery", "redirect_to": back})
        project.mails.append((given["email"], f"{project.url}/auth/v1/verify?{query}"))
    return JSONResponse({})


def _verify(project: "Project", request: Request) -> Response:
    """Where the link in a mail leads: back to the page, with a code."""
    back = request.query_params["redirect_to"]
    mark = "&" if "?" in back else "?"
    return RedirectResponse(f"{back}{mark}code={request.query_params['token']}", 303)


def _code(project: "Project", given: dict[str, Any]) -> Response:
    found = project.rows(
        "delete from auth.flow_state where auth_code = %s returning user_id::text, code_challenge",
        given["auth_code"],
    )
    if not found:
        raise Refused(404, "flow_state_not_found", "invalid flow state, no valid flow state found")
    digest = hashlib.sha256((given["code_verifier"] or "").encode()).digest()
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != found[0][1]:
        raise Refused(
            400, "bad_code_verifier", "code challenge does not match previously saved code verifier"
        )
    return _session(project, found[0][0])


def _own(project: "Project", place: str, request: Request, given: dict[str, Any]) -> Response:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    try:
        claims = verified(token, project.secret, project.now_s)
        user_id, session_id = claims["sub"], claims["session_id"]
    except (BadToken, KeyError):
        raise Refused(403, "bad_jwt", "invalid JWT: unable to parse or verify signature") from None
    if place == "logout":
        project.rows(
            "delete from auth.refresh_tokens where session_id = %s returning 1", session_id
        )
        return Response(status_code=204)
    if password := given.get("password"):
        if len(password) < 6:
            raise Refused(422, "weak_password", "too short", weak_password={"reasons": ["length"]})
        sql = "update auth.users set encrypted_password = %s where id = %s returning 1"
        project.rows(sql, hashed(password), user_id)
    return JSONResponse(_user(project, user_id))


def _session(project: "Project", user_id: str, session_id: str | None = None) -> Response:
    token, session_id = project.rows(
        "insert into auth.refresh_tokens (user_id, session_id)"
        " values (%s, coalesce(%s::uuid, gen_random_uuid())) returning token, session_id::text",
        user_id,
        session_id,
    )[0]
    expires_at = int(project.now_s + project.token_life_s)
    user = _user(project, user_id)
    claims = {"sub": user_id, "role": "authenticated", "aud": "authenticated", "exp": expires_at}
    claims |= {"email": user["email"], "session_id": session_id}
    content = {
        "access_token": signed(claims, project.secret),
        "token_type": "bearer",
        "expires_in": project.token_life_s,
        "expires_at": expires_at,
        "refresh_token": token,
        "user": user,
    }
    return JSONResponse(content)


def _user(project: "Project", user_id: str) -> dict[str, Any]:
    email, created_at = project.rows(
        "select email, created_at from auth.users where id = %s", user_id
    )[0]
    return {
        "id": user_id,
        "aud": "authenticated",
        "role": "authenticated",
        "email": email,
        "app_metadata": {},
        "user_metadata": {},
        "created_at": created_at.isoformat(),
    }
