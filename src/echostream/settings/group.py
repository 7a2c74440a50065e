"""What all groups of settings have in common: how the environment is read."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from echostream.checks import check_url


class SettingsGroup(BaseSettings):
    """A part of the settings. Its docstring is its heading in `docs/reference/settings.md`."""

    model_config = SettingsConfigDict(
        env_file=".env",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )


def _split_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_commas)]
"""A list, written with commas in the environment."""


def _checked_http_url(value: str) -> str:
    check_url(value, "http", "https")
    return value


HttpUrl = Annotated[str, AfterValidator(_checked_http_url)]
