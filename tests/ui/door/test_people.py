"""Who may see the library, of those who sign in with a provider; and the settings for that."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from echostream_ui.door.people import is_allowed, streamlit_secrets
from echostream_ui.settings import FrontendSettings

ALLOWED = ("ann@example.com", "@team.example.org")
OIDC = {
    "oidc_url": "https://login.example.com/.well-known/openid-configuration",
    "oidc_client_id": "echostream",
    "oidc_client_secret": "a secret",
    "oidc_allowed": "ann@example.com, @team.example.org",
    "frontend_url": "https://app.example.com/echo/",
}


def settings(**given: Any) -> FrontendSettings:
    return FrontendSettings(_env_file=None, **given)


@pytest.mark.parametrize(
    ("email", "more", "expected"),
    [
        ("ann@example.com", {}, True),
        ("Ann@Example.com", {"email_verified": True}, True),
        ("bo@team.example.org", {}, True),
        ("ann@example.com", {"email_verified": False}, False),
        ("ann@example.com", {"email_verified": "false"}, False),
        ("ann@example.com", {"is_logged_in": False}, False),
        ("bo@example.com", {}, False),
        ("bo@other.team.example.org", {}, False),
        ("bo@eviltEam.example.org", {}, False),
        ("ann@example.com@evil.test", {}, False),
        ("@team.example.org", {}, False),
        ("", {}, False),
        (None, {}, False),
    ],
)
def test_who_is_allowed(email: str | None, more: dict[str, Any], expected: bool) -> None:
    user = {"is_logged_in": True, "email": email, **more}
    assert is_allowed(user, ALLOWED) is expected
    assert not is_allowed(user, ())


def test_streamlit_gets_what_it_needs(tmp_path: Path) -> None:
    given = settings(**OIDC, library_path=tmp_path)
    secrets = streamlit_secrets(given)
    assert secrets is not None
    assert secrets["auth"]["redirect_uri"] == "https://app.example.com/echo/oauth2callback"
    assert secrets["auth"]["client_id"] == OIDC["oidc_client_id"]
    assert secrets["auth"]["server_metadata_url"] == OIDC["oidc_url"]
    assert secrets["auth"]["client_secret"] == "a secret"
    assert len(secrets["auth"]["cookie_secret"]) == 64
    assert streamlit_secrets(given) == secrets  # nobody is signed out by a restart
    assert given.oidc_allowed == ALLOWED
    assert given.asks_who
    assert streamlit_secrets(settings()) is None


@pytest.mark.parametrize("missing", OIDC)
def test_all_settings_or_none(missing: str) -> None:
    rest = {name: value for name, value in OIDC.items() if name != missing}
    with pytest.raises(ValidationError, match="go together"):
        settings(**rest)


def test_other_settings_of_it_that_are_wrong() -> None:
    for allowed in ("example.com", "ann@", "ann @example.com"):
        with pytest.raises(ValidationError, match="write an address as"):
            settings(**OIDC | {"oidc_allowed": allowed})
    with pytest.raises(ValidationError, match="three ways"):
        settings(**OIDC, frontend_password="a long password")
    supabase = {"supabase_url": "https://a.supabase.co", "supabase_anon_key": "key"}
    with pytest.raises(ValidationError, match="three ways"):
        settings(**supabase, frontend_password="a long password")
    assert settings(frontend_url="https://app.example.com").asks_who is False
