"""People who sign in with an OpenID Connect provider, which Streamlit does (`st.login`).

Streamlit reads what it needs for that from `secrets.toml`. We give it the same from our settings.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from echostream_ui.door.visitors import key_in
from echostream_ui.settings import FrontendSettings


def streamlit_secrets(settings: FrontendSettings) -> dict[str, Any] | None:
    """What Streamlit needs to let people sign in; None if they do not sign in with a provider.
    Raises OSError if the key of its cookie cannot be kept."""
    if settings.oidc_client_secret is None:
        return None
    return {
        "auth": {
            "redirect_uri": f"{settings.frontend_url}/oauth2callback",
            "cookie_secret": key_in(settings.door_path).hex(),
            "client_id": settings.oidc_client_id,
            "client_secret": settings.oidc_client_secret.get_secret_value(),
            "server_metadata_url": settings.oidc_url,
        }
    }


def is_allowed(user: Mapping[str, Any], allowed: Iterable[str]) -> bool:
    """Whether somebody may see the library. `user` has the provider's claims about them. An address
    that the provider knows not to be confirmed is nobody's."""
    email = str(user.get("email") or "").casefold()
    name, _, domain = email.rpartition("@")
    if not user.get("is_logged_in") or not name or user.get("email_verified") in (False, "false"):
        return False
    return any(each.casefold() in (email, f"@{domain}") for each in allowed)
