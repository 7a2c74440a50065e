"""Who may call the API, and from where."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from echostream.checks import check_token
from echostream.named_tokens import ADMINISTRATOR, NamedToken, check_apart, read_tokens
from echostream.settings.group import CommaSeparated, SettingsGroup


class AccessSettings(SettingsGroup):
    """Access."""

    api_bearer_token: SecretStr | None = None
    """The token of the administrator, who may see all jobs. If this or one of the next two is set,
    everything needs a token but `/health` and the description (`API_DOCS`). Unset, all three: the
    whole API is open."""

    api_tokens: Annotated[tuple[NamedToken, ...], NoDecode] = ()
    """Further tokens, each `name:token` and separated by commas. Jobs, idempotency keys and live
    sessions belong to the name that has made them; no other name sees them."""

    api_tokens_file: Path | None = None
    """A file of such tokens, one in each line. It is read again every second: tokens that are no
    longer in it are refused, and their Socket.IO and WebSocket connections end."""

    api_docs: bool = True
    """Serve the description of the API at `/docs`, `/redoc` and `/openapi.json`, which need no
    token."""

    cors_origins: CommaSeparated = ()
    """Origins of browsers allowed to call the API, separated by commas."""

    allowed_hosts: CommaSeparated = ()
    """Names under which the server is reached, separated by commas; `*.example.com` means all below
    it, `*` any. Addresses and names without a dot always work. Unset: with a token any name, else
    no other."""

    @field_validator("api_bearer_token")
    @classmethod
    def _refuse_useless_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_token(value.get_secret_value())
        return value

    @field_validator("api_tokens", mode="before")
    @classmethod
    def _read_tokens(cls, value: object) -> object:
        return read_tokens(value.split(",")) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_tokens_differ(self) -> Self:
        try:
            check_apart(self.named_tokens)
        except ValueError as error:
            raise ValueError(f"API_TOKENS: {error}") from None
        return self

    @property
    def named_tokens(self) -> tuple[NamedToken, ...]:
        """Those that are set, without those of the file."""
        if self.api_bearer_token is None:
            return self.api_tokens
        return (NamedToken(ADMINISTRATOR, self.api_bearer_token), *self.api_tokens)

    @property
    def needs_token(self) -> bool:
        return bool(self.named_tokens) or self.api_tokens_file is not None
