"""The frontend's settings, from the environment and `.env`: read here and nowhere else."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, FilePath, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from echostream.checks import check_token, check_url
from echostream.hosts import ANY
from echostream.passwords import check_password

_OIDC = ("oidc_url", "oidc_client_id", "oidc_client_secret", "oidc_allowed", "frontend_url")

Export = Literal["txt", "srt", "vtt", "json", "md", "docx", "pdf"]


class FrontendSettings(BaseSettings):
    """Every setting; its environment variable is the field's name in capitals."""

    model_config = SettingsConfigDict(
        env_file=".env",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    api_base_url: str = "http://127.0.0.1:3000"
    """Where the API is, as seen from the frontend's server; browsers never reach it themselves."""

    api_bearer_token: SecretStr | None = None
    """The API's token. It stays on the frontend's server."""

    frontend_port: int = Field(8501, ge=0, le=65535)
    """Port of the web frontend."""

    frontend_host: str = "127.0.0.1"
    """Address the frontend listens on. Containers set 0.0.0.0."""

    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Names under which the server is reached, separated by commas; `*.example.com` means all below
    it, `*` any. Addresses and names without a dot always work. Unset: if people sign in any name,
    else no other."""

    public_url: str | None = None
    """Where links to recordings lead, such as `https://notes.example.com`. Under this name the
    frontend answers for links alone, unless `ALLOWED_HOSTS` has it too. Unset, or with Supabase:
    there are no links."""

    pdf_font: FilePath | None = None
    """A TrueType or OpenType font for letters that the font of our PDF files lacks, such as
    Chinese, Japanese and Korean ones."""

    frontend_password: SecretStr | None = None
    """A password for the whole frontend, when Supabase is not set: as it is, or as a hash that
    `echostream password` makes. Unset: whoever reaches the frontend sees the library."""

    library_path: Path = Path("data/library")
    """Folder of the library when Supabase is not set, and of recordings that are under way."""

    supabase_url: str | None = None
    """A Supabase project. With its key set too, people sign in and the library lies there."""

    supabase_anon_key: SecretStr | None = None
    """The project's anon key, or a newer `sb_publishable_…` one; never the service key."""

    oidc_url: str | None = None
    """Where an OpenID Connect provider describes itself, mostly at an address that ends with
    `/.well-known/openid-configuration`. With the next four settings people sign in there, and all
    whom `OIDC_ALLOWED` names share one library."""

    oidc_client_id: str | None = None
    """What the provider calls this frontend."""

    oidc_client_secret: SecretStr | None = None
    """What this frontend shows the provider to prove that."""

    oidc_allowed: Annotated[tuple[str, ...], NoDecode] = ()
    """Who may see the library, separated by commas: e-mail addresses, or `@example.com` for all of
    a domain."""

    frontend_url: str | None = None
    """Where browsers find the frontend, such as `https://app.example.com`. The provider sends
    people back to `/oauth2callback` below it."""

    frontend_uploads: int = Field(2, ge=1)
    """Recordings that are sent to the API at once."""

    allow_private_urls: bool = False
    """Let addresses of podcast feeds be private ones. For development only; the API has the same
    setting for links to audio."""

    watch_folder: Path | None = None
    """A folder whose audio and video files are taken into the library, once each, as soon as they
    are complete. Not with Supabase."""

    watch_preset: str | None = None
    """Name of the preset whose options the files of the watched folder get. Unset: the options that
    *Add* begins with."""

    watch_export: Annotated[tuple[Export, ...], NoDecode] = ()
    """What is written beside each file of the watched folder when it is done, and again after the
    recording was changed: of `txt`, `srt`, `vtt`, `json`, `md`, `docx` and `pdf`, separated by
    commas. No file is overwritten that somebody else wrote or changed."""

    @field_validator("allowed_hosts", "oidc_allowed", "watch_export", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("api_base_url", "supabase_url", "public_url", "oidc_url", "frontend_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        check_url(value, "http", "https")
        return value.rstrip("/")

    @field_validator("api_bearer_token")
    @classmethod
    def _refuse_useless_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_token(value.get_secret_value())
        return value

    @field_validator("frontend_password")
    @classmethod
    def _refuse_useless_password(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_password(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _check_watch_folder(self) -> Self:
        if self.watch_folder is not None:
            watched, library = self.watch_folder.resolve(), self.library_path.resolve()
            if watched.is_relative_to(library) or library.is_relative_to(watched):
                raise ValueError("WATCH_FOLDER and LIBRARY_PATH must not lie within each other")
        return self

    @model_validator(mode="after")
    def _check_supabase(self) -> Self:
        if (self.supabase_url is None) != (self.supabase_anon_key is None):
            raise ValueError("SUPABASE_URL and SUPABASE_ANON_KEY go together: set both or neither")
        return self

    @model_validator(mode="after")
    def _check_oidc(self) -> Self:
        given = [bool(getattr(self, name)) for name in _OIDC]
        if any(given[:-1]) and not all(given):
            names = ", ".join(name.upper() for name in _OIDC)
            raise ValueError(f"{names} go together: set all or none")
        for pattern in self.oidc_allowed:
            if not re.fullmatch(r"[^@\s]*@[^@\s]+", pattern):
                raise ValueError(
                    "OIDC_ALLOWED: write an address as ann@example.com, a domain as @example.com"
                )
        return self

    @model_validator(mode="after")
    def _check_one_way_in(self) -> Self:
        if self.uses_supabase + self.uses_oidc + (self.frontend_password is not None) > 1:
            raise ValueError(
                "FRONTEND_PASSWORD, SUPABASE_URL and OIDC_URL are three ways to sign in: set one"
            )
        return self

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names that the frontend answers to, beside local ones."""
        if self.asks_who and not self.allowed_hosts:
            return (ANY,)
        return (*self.allowed_hosts, self.frontend_host)

    @property
    def public_name(self) -> str | None:
        """The name in `public_url`."""
        return urlsplit(self.public_url).hostname if self.public_url else None

    @property
    def asks_who(self) -> bool:
        """Whether nobody sees a library without signing in."""
        return self.uses_supabase or self.uses_oidc or self.frontend_password is not None

    @property
    def door_path(self) -> Path:
        """Folder of the keys with which cookies are signed."""
        return self.library_path / "door"

    @property
    def staging_path(self) -> Path:
        """Folder of recordings that are under way."""
        return self.library_path / "staging"

    @property
    def watches(self) -> bool:
        """Whether a folder is watched: without users only, since its files would be nobody's."""
        return self.watch_folder is not None and not self.uses_supabase

    @property
    def uses_supabase(self) -> bool:
        return self.supabase_url is not None

    @property
    def uses_oidc(self) -> bool:
        return self.oidc_url is not None
