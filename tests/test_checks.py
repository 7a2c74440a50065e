"""What the API and the web frontend ask of tokens and addresses in their settings."""

import pytest
from pydantic import BaseModel, ValidationError, field_validator, model_validator

from echostream.checks import PLACEHOLDERS, check_token, check_url, complaint


@pytest.mark.parametrize(
    "token",
    [
        *sorted(PLACEHOLDERS),
        *map(str.upper, sorted(PLACEHOLDERS)),
        "",
        " a",
        "a ",
        "a\nb",
        "a\x00",
        "ä",
        "\ud800",
    ],
)
def test_tokens_that_protect_nothing_or_cannot_be_sent(token: str) -> None:
    with pytest.raises(ValueError, match=r"^(is a placeholder|must be printable)") as refused:
        check_token(token)
    assert len(token) < 3 or token not in str(refused.value)


def test_which_words_are_placeholders() -> None:
    for each in ("changeme", "change-me", "your-token", "your_token_here", "secret", "xxx"):
        assert each in PLACEHOLDERS


@pytest.mark.parametrize("token", ["x", "a b", "~!{}", "secret2"])
def test_other_tokens_are_taken(token: str) -> None:
    check_token(token)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("example.com", "must begin with http:// or https://"),
        ("ftp://example.com", "must begin with http:// or https://"),
        *(
            (each, "must be http:// or https:// with a host and, optionally, a valid port")
            for each in ("http://", "http://:80", "http://a:0", "http://a:x", "http://a:65536")
        ),
        ("http://[::1", "must be http:// or https:// with a host and, optionally, a valid port"),
    ],
)
def test_addresses_that_lead_nowhere(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"^must") as refused:
        check_url(url, "http", "https")
    assert str(refused.value) == told


@pytest.mark.parametrize("url", ["http://a", "https://u:p@a.test:1/b?c", "http://[::1]:65535"])
def test_other_addresses_are_taken(url: str) -> None:
    check_url(url, "http", "https")


class _Settings(BaseModel):
    port: int = 1
    token: str = "x"

    @field_validator("token")
    @classmethod
    def _token(cls, token: str) -> str:
        check_token(token)
        return token

    @model_validator(mode="after")
    def _together(self) -> "_Settings":
        if self.port == 2:
            raise ValueError("TOKEN and PORT contradict each other")
        return self


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"token": "secret", "port": 3}, "setting TOKEN: is a placeholder"),
        ({"port": "x", "token": "secret"}, "setting PORT: Input should be a valid integer"),
        ({"port": 2}, "setting TOKEN and PORT contradict each other"),
    ],
)
def test_the_first_fault_is_told_as_a_line(given: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        _Settings.model_validate(given)
    assert complaint(refused.value).startswith(told)
