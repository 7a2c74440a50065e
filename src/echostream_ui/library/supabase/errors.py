"""Translates errors of Supabase's services to StoreErrors that say what is wrong and what to do.

There are three kinds: what the user can fix (a password, an expired session), what the project's
owner can fix (a key, a grant, a policy, migrations that have not run), and what passes by itself.
"""

import re
from dataclasses import dataclass

import httpx
import pydantic
from postgrest.exceptions import APIError
from storage3.utils import StorageException
from supabase_auth.errors import AuthError

from echostream_ui.library.store import StoreError

# Everything that the client raises. ValueError is for answers that are not JSON.
FOREIGN = (APIError, StorageException, AuthError, httpx.HTTPError, pydantic.ValidationError,
           ValueError)  # fmt: skip

MIGRATE = (
    "Run the SQL files of src/echostream_ui/library/supabase/migrations, as docs/how-to/supabase.md"
    " says."
)
_CHECK_KEY = "Check SUPABASE_ANON_KEY: it must be this project's anon or publishable key."
_TRY_LATER = "Try again in a moment."
_WAIT = "Wait a few minutes before you try again."


def session_ended() -> StoreError:
    return StoreError("Your session has ended.", "Sign in again.")


def away() -> StoreError:
    return StoreError(
        "The Supabase project cannot be reached.",
        "Check SUPABASE_URL and the network, and in the Supabase dashboard whether the project is"
        " paused.",
        retryable=True,
    )


def policy_missing(what: str) -> StoreError:
    return StoreError(
        f"A policy of the Supabase project does not let you: {what}.",
        "Its policies are not those of the migrations. " + MIGRATE,
    )


def grant_missing(what: str) -> StoreError:
    return StoreError(f"A grant is missing in the Supabase project: {what}.", MIGRATE)


def bucket_missing() -> StoreError:
    return StoreError("The bucket for audio is missing in the Supabase project.", MIGRATE)


@dataclass(frozen=True, slots=True)
class _Fault:
    """An error in the same form for all the services."""

    code: str  # the error's, or else the HTTP status
    message: str
    status: int | None = None


def translated(error: Exception) -> StoreError:
    """Returns the StoreError for one of `FOREIGN`."""
    if isinstance(error, httpx.TransportError):
        return away()
    fault = _fault(error)
    if fault is None:
        return StoreError(
            "The answer is not one of a Supabase project.",
            "Check SUPABASE_URL: it looks like https://<project>.supabase.co.",
            retryable=True,
        )
    for find in (_general, _of_account, _of_database, _of_storage):
        if found := find(fault):
            return found
    return StoreError(
        f"Supabase refuses this: {fault.message}.", "The logs in its dashboard may tell more."
    )


def has_expired(error: Exception) -> bool:
    """Whether the access token has expired, or its signing key is no longer in use."""
    if isinstance(error, AuthError):
        return False  # a failed session refresh must not be tried again
    fault = _fault(error)
    return fault is not None and _is_about_token(fault)


def is_missing_object(error: Exception) -> bool:
    fault = _fault(error)
    return fault is not None and fault.message == "Object not found"


def is_duplicate(error: Exception) -> bool:
    fault = _fault(error)
    return fault is not None and (fault.status == 409 or fault.code == "Duplicate")


def _fault(error: Exception) -> _Fault | None:
    """Returns None if the answer is not from a Supabase service."""
    if isinstance(error, APIError):
        code = error.code or ""
        status = int(code) if re.fullmatch(r"[45]\d\d", code) else None
        # If a gateway answered, its HTML page is in the details.
        return _Fault(code, error.message or str(error.details or ""), status)
    if isinstance(error, AuthError):
        if (status := getattr(error, "status", None)) is not None:
            return _Fault(error.code or "", error.message, status)
        # The answer could not be read: it came from a failing gateway, or from something else.
        cause = error.__cause__
        is_trouble = isinstance(cause, httpx.HTTPStatusError) and cause.response.is_server_error
        return _fault(cause) if is_trouble and isinstance(cause, httpx.HTTPStatusError) else None
    if isinstance(error, StorageException):
        code, message = getattr(error, "code", ""), getattr(error, "message", str(error))
        status_told = str(getattr(error, "status", ""))
        return _Fault(str(code), message, int(status_told) if status_told.isdigit() else None)
    if isinstance(error, httpx.HTTPStatusError):
        return _Fault("", str(error), error.response.status_code)
    return None


def _is_about_token(fault: _Fault) -> bool:
    text = fault.message.lower()
    return fault.code in ("PGRST301", "PGRST302", "PGRST303", "bad_jwt", "InvalidJWT") or any(
        words in text for words in ("jwt expired", '"exp" claim', "invalid jwt", "jwserror")
    )


def _general(fault: _Fault) -> StoreError | None:
    """The errors that every service may give."""
    text = fault.message
    if "Invalid API key" in text or "No API key" in text:
        return StoreError("The Supabase project does not know the key.", _CHECK_KEY)
    if _is_about_token(fault):
        return session_ended()
    if fault.status == 540:
        return StoreError(
            "The Supabase project is paused.", "Restore it in the Supabase dashboard."
        )
    if fault.status == 429 or fault.code.endswith("rate_limit"):
        return StoreError("Supabase has had too many requests.", _WAIT, retryable=True)
    if fault.status == 0:
        return away()  # the account client's status for "no connection"
    if fault.status is not None and fault.status >= 500:
        return StoreError("Supabase has trouble at the moment.", _TRY_LATER, retryable=True)
    return None


_ACCOUNT = {
    "invalid_credentials": ("The e-mail address or the password is wrong.", "Try again."),
    "email_not_confirmed": (
        "This e-mail address has not been confirmed yet.",
        "Follow the link in the e-mail that was sent to it.",
    ),
    "user_already_exists": ("There is an account for this e-mail address.", "Sign in."),
    "email_exists": ("There is an account for this e-mail address.", "Sign in."),
    "weak_password": ("The password is too weak.", "Choose a longer one."),
    "same_password": ("This is the password that you have already.", "Choose another one."),
    "email_address_invalid": ("This is not an e-mail address that is accepted.", "Check it."),
    "validation_failed": ("This is not an e-mail address that is accepted.", "Check it."),
    "email_address_not_authorized": (
        "The project sends no e-mail to this address.",
        "Its owner has to set up an SMTP server in the Supabase dashboard.",
    ),
    "signup_disabled": (
        "New accounts are switched off in this project.",
        "Ask its owner for an account.",
    ),
    "email_provider_disabled": (
        "Signing in by e-mail is switched off in this project.",
        "Its owner can switch it on in the Supabase dashboard.",
    ),
    "user_banned": ("This account is blocked.", "Ask the project's owner."),
    "captcha_failed": (
        "The project wants a CAPTCHA, which this page does not have.",
        "Its owner can switch it off in the Supabase dashboard.",
    ),
}
_ENDED = {
    "refresh_token_not_found", "refresh_token_already_used", "session_not_found",
    "session_expired", "user_not_found",
}  # fmt: skip
_LINK = {"flow_state_not_found", "flow_state_expired", "bad_code_verifier", "otp_expired"}


def _of_account(fault: _Fault) -> StoreError | None:
    if fault.code in _ACCOUNT:
        return StoreError(*_ACCOUNT[fault.code])
    if fault.code in _ENDED or "Refresh Token" in fault.message:
        return session_ended()
    if fault.code in _LINK:
        return StoreError("This link is no longer good.", "Ask for a new e-mail.")
    return None


_UNREADY = {
    "PGRST205": "table", "PGRST202": "function", "PGRST204": "column",
    "42P01": "table", "42883": "function", "42703": "column",
}  # fmt: skip
_BROKEN_RULES = {
    "folder_by_name": ("There is a folder with this name.", "Choose another name."),
    "media_in_folder": ("The folder has been deleted meanwhile.",),
}
_PASSING = ("08", "40", "53", "57", "PGRST000", "PGRST001", "PGRST002", "PGRST003")


def _of_database(fault: _Fault) -> StoreError | None:
    code = fault.code
    if code in _UNREADY:
        return StoreError(
            f"A {_UNREADY[code]} of the library is missing in the Supabase project.", MIGRATE
        )
    if "row-level security" in fault.message:
        return policy_missing(fault.message)
    if code == "42501":
        return grant_missing(fault.message)
    if code.startswith(_PASSING):
        return StoreError("Supabase's database is busy.", _TRY_LATER, retryable=True)
    for rule, told in _BROKEN_RULES.items():
        if code.startswith("23") and f'"{rule}"' in fault.message:
            return StoreError(*told)
    if code.startswith(("22", "23")):
        return StoreError(f"Supabase's database does not take this: {fault.message}.")
    return None


def _of_storage(fault: _Fault) -> StoreError | None:
    if "Bucket not found" in (fault.code, fault.message):
        return bucket_missing()
    if fault.status == 413 or "exceeded the maximum allowed size" in fault.message:
        return StoreError(
            "The audio is larger than the Supabase project takes.",
            "Its owner can raise the upload limit in the dashboard's storage settings.",
        )
    return None
