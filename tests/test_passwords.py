"""Passwords and their hashes, and the command that makes one."""

import subprocess
import sys

import pytest

from echostream.passwords import PasswordHash, check_password, hash_of

PASSWORD = "correct horse, grüß"


def test_only_the_password_matches_its_hash() -> None:
    kept = PasswordHash.of(PASSWORD)
    assert kept.matches(PASSWORD)
    assert kept.matches("correct horse, gru\u0308ß")  # as another keyboard writes it
    assert not kept.matches(PASSWORD + " ")
    assert not kept.matches("")


def test_a_hash_is_text_that_shells_and_compose_leave_alone() -> None:
    kept = PasswordHash.of(PASSWORD)
    text = kept.dump()
    assert not set(text) & set("$ '\"#\\\n")
    assert PASSWORD not in text
    assert hash_of(text) == kept
    assert PasswordHash.of(PASSWORD).dump() != text  # each has a salt of its own


def test_a_setting_may_be_the_password_itself() -> None:
    assert hash_of(PASSWORD).matches(PASSWORD)


@pytest.mark.parametrize(
    "text",
    [
        "scrypt:",
        "scrypt:16384:8:1:AAAA",
        "scrypt:16383:8:1:AAAAAAAAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAA",
        "scrypt:1073741824:8:1:AAAAAAAAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAA",
        "scrypt:16384:8:1:AAAA:AAAAAAAAAAAAAAAAAAAAAA",
        "scrypt:16384:8:-1:AAAAAAAAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAA",
        "scrypt:16384:8:1:AAAAAAAAAAAAAAAAAAAAAA:not*base64*not*base64",
        "Password",
        "changeme",
        "short",
        "",
    ],
)
def test_what_protects_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has|must) ") as refused:
        check_password(text)
    assert not text or text not in str(refused.value)


def test_the_command_reads_one_line_and_prints_a_hash() -> None:
    def run(typed: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "echostream", "password"]
        return subprocess.run(
            command, input=typed, capture_output=True, text=True, timeout=120, check=False
        )

    done = run(f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    assert PasswordHash.load(done.stdout.strip()).matches(PASSWORD)
    refused = run("short\n")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "echostream: the password must have 8 characters or more\n"
