"""Tokens with names: how they are written, and which are refused at the start."""

import asyncio
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from echostream.errors import EchoStreamError
from echostream.named_tokens import read_tokens
from echostream.settings import Settings
from echostream.web.keyring import EVERYBODY, Caller, Keyring
from web.support import settings_of

ALICE, BOB, CAROL = "alice-0123456789", "bob-9876543210-x", "carol:5555:abcdef"


def names_of(settings: Settings) -> list[str]:
    return Keyring(settings).names


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKENS", f"alice:{ALICE}, bob:{BOB},")
    settings = Settings()
    assert names_of(settings) == ["alice", "bob"]
    assert ALICE not in repr(settings)


def test_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# the team\n\nalice:{ALICE}\r\n  carol:{CAROL}  \n")
    settings = settings_of(api_tokens_file=file, api_tokens=f"bob:{BOB}", api_bearer_token="x-y")
    keyring = Keyring(settings)
    assert keyring.names == ["administrator", "bob", "alice", "carol"]
    carol = keyring.caller_of(f"Bearer {CAROL}")
    assert carol is not None
    assert (carol.name, carol.is_administrator) == ("carol", False)
    assert CAROL not in repr(carol)
    assert CAROL not in repr(keyring)
    administrator = keyring.caller_of("Bearer x-y")
    assert administrator is not None
    assert administrator.is_administrator


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (ALICE, "name:token"),
        (f":{ALICE}", "name:token"),
        (f"al ice:{ALICE}", "name:token"),
        (f"älice:{ALICE}", "name:token"),
        (f"{'a' * 65}:{ALICE}", "name:token"),
        (f"administrator:{ALICE}", "API_BEARER_TOKEN"),
        ("alice:", "'alice'"),
        ("alice:secret", "placeholder"),
        ("alice:ChangeMe", "placeholder"),
        ("alice:short-one", "guess"),
        ("alice:abcdef-1234", "guess"),
        ("alice:abcdeabcdeabcde", "guess"),
        ("alice:aaaaaaaaaaaaaaaaaaaaaaaa", "guess"),
        ("alice:with \u00e4 in the middle", "ASCII"),
        (f"alice:{ALICE},alice:{BOB}", "twice"),
        (f"alice:{ALICE},bob:{ALICE}", "same token"),
    ],
)
def test_what_is_refused(tmp_path: Path, written: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason) as refused:
        settings_of(api_tokens=written)
    told = refused.value.errors(include_input=False)[0]["msg"]
    file = tmp_path / "tokens"
    file.write_text(written.replace(",", "\n"))
    with pytest.raises(EchoStreamError, match=f"API_TOKENS_FILE.*{reason}") as refused_file:
        Keyring(settings_of(api_tokens_file=file))
    for message in (told, str(refused_file.value)):
        for each in written.split(","):
            token = each.partition(":")[2] or each
            assert not token or not re.search(rf"\b{re.escape(token)}\b", message)


def test_what_just_suffices() -> None:
    settings = settings_of(api_tokens=f"{'a' * 64}:abcdef-12345, b:abcdefabcdef")
    assert names_of(settings) == ["a" * 64, "b"]


def test_a_file_of_its_own_is_checked_for_tokens_that_are_there_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        read_tokens([f"alice:{ALICE}", f"alice:{BOB}"])


def test_a_token_may_not_be_that_of_the_administrator(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="same token"):
        settings_of(api_tokens=f"alice:{ALICE}", api_bearer_token=ALICE)
    file = tmp_path / "tokens"
    file.write_text(f"alice:{ALICE}")
    with pytest.raises(EchoStreamError, match="same token"):
        Keyring(settings_of(api_tokens_file=file, api_bearer_token=ALICE))
    with pytest.raises(EchoStreamError, match="twice"):
        Keyring(settings_of(api_tokens_file=file, api_tokens=f"alice:{BOB}"))


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "large"])
def test_a_file_that_cannot_be_used(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "tokens"
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "large":
        file.write_bytes(bytes(2 * 1024 * 1024))
    with pytest.raises(EchoStreamError, match="API_TOKENS_FILE"):
        Keyring(settings_of(api_tokens_file=file))


def test_without_any_token_everybody_may_do_everything() -> None:
    keyring = Keyring(settings_of())
    assert keyring.caller_of("") is EVERYBODY
    assert EVERYBODY.may_see("alice")


def test_a_file_without_tokens_is_not_an_open_api(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# nobody yet\n")
    assert Keyring(settings_of(api_tokens_file=file)).caller_of("") is None


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer \ud800", "Bearer \udfff" * 3, f"Bearer {ALICE}\ud800"],
)
def test_half_characters_are_no_token(authorization: str) -> None:
    assert Keyring(settings_of(api_tokens=f"alice:{ALICE}")).caller_of(authorization) is None


@pytest.mark.parametrize(
    ("scheme", "is_right"),
    [("Bearer", True), ("bearer", True), ("Basic", False), ("", False), ("Bearer2", False)],
)
def test_a_token_has_a_scheme(scheme: str, is_right: bool) -> None:
    caller = Keyring(settings_of(api_tokens=f"alice:{ALICE}")).caller_of(f"{scheme} {ALICE}")
    assert (caller is not None) is is_right


def test_whose_jobs_and_keys_they_are() -> None:
    keyring = Keyring(settings_of(api_tokens=f"alice:{ALICE}", api_bearer_token="x-y"))
    callers = [keyring.caller_of(f"Bearer {one}") for one in (ALICE, "x-y")]
    alice, administrator = (each for each in callers if each is not None)
    assert (alice.owner, alice.scope) == ("alice", "alice")
    assert (administrator.owner, administrator.scope) == ("administrator", None)
    assert (EVERYBODY.owner, EVERYBODY.scope) == (None, None)
    assert not Caller("alice").is_administrator
    assert keyring.knows(alice)
    assert not keyring.knows(Caller("alice", token=SecretStr(BOB)))
    assert not keyring.knows(EVERYBODY)
    assert Keyring(settings_of()).knows(alice)


async def test_the_file_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echostream.web.keyring._LOOK_EVERY_S", 0.01)
    file = tmp_path / "tokens"
    file.write_text(f"alice:{ALICE}\n")
    keyring = Keyring(settings_of(api_tokens_file=file))
    told: asyncio.Queue[list[str]] = asyncio.Queue()

    async def changed() -> None:
        told.put_nowait(keyring.names)
        if keyring.names == ["bob"]:
            raise RuntimeError("a socket would not close")

    async def written(*lines: str) -> None:
        """Replaces the file at once, so that nobody reads half of it."""
        new = tmp_path / "new"
        new.write_text("\n".join(lines))
        new.replace(file)

    with capture_logs() as logs:
        watching = asyncio.create_task(keyring.watch(changed))
        async with asyncio.timeout(60):
            await written("bob:short")
            await _until(lambda: len(logs) == 1)
            await written(f"bob:{BOB}")
            assert await told.get() == ["bob"]
            await _until(lambda: len(logs) == 3)
            for number, fault in enumerate(("bob:short", "no token", "bob:short"), start=4):
                await written(fault)
                await _until(lambda lines=number: len(logs) >= lines)  # each is told once
                await asyncio.sleep(0.05)
                assert keyring.names == ["bob"]
            await written(f"bob:{BOB}")
            await asyncio.sleep(0.05)
            await written("bob:short")  # after it was in order
            await _until(lambda: len(logs) == 7)
            await written(f"carol:{CAROL}")
            assert await told.get() == ["carol"]
        watching.cancel()
    assert _events(logs) == [
        *("tokens_not_read", "tokens_changed", "revoked_not_ended"),
        *(["tokens_not_read"] * 4),
        "tokens_changed",
    ]
    assert [each["names"] for each in logs if "names" in each] == [["bob"], ["carol"]]
    assert all(each["reason"] for each in logs if each["event"] == "tokens_not_read")
    assert isinstance(logs[2]["exc_info"], RuntimeError)
    assert told.empty()


async def test_without_a_file_nothing_is_watched() -> None:
    async with asyncio.timeout(20):
        await Keyring(settings_of(api_tokens=f"alice:{ALICE}")).watch(AsyncMock())


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - the log has no event
        await asyncio.sleep(0.01)


def _events(logs: Sequence[Mapping[str, Any]]) -> list[str]:
    return [each["event"] for each in logs]


def test_every_token_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the time of an answer would tell which of them was found."""
    keyring = Keyring(settings_of(api_tokens=f"alice:{ALICE},bob:{BOB}", api_bearer_token="x-y"))
    compared = []

    def compare(known: bytes, given: bytes) -> bool:
        compared.append((len(known), len(given)))
        return known == given

    monkeypatch.setattr("hmac.compare_digest", compare)
    for token in ("x-y", ALICE, BOB, "wrong", ""):
        keyring.caller_of(f"Bearer {token}")
    assert compared == [(32, 32)] * 15


def test_who_may_see_what() -> None:
    keyring = Keyring(settings_of(api_tokens=f"alice:{ALICE}", api_bearer_token="x-y"))
    alice, administrator = (keyring.caller_of(f"Bearer {one}") for one in (ALICE, "x-y"))
    assert alice is not None
    assert administrator is not None
    assert [alice.may_see(one) for one in ("alice", None, "bob", "administrator", 7, "")] == [
        *(True, True),
        *(False, False, False, False),
    ]
    assert all(administrator.may_see(one) for one in ("alice", None, "bob", 7))
