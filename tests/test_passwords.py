"""Passwords and their hashes, and the command that makes one."""

import hashlib
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


def test_half_a_character_is_a_password_that_is_not_it() -> None:
    assert not PasswordHash.of(PASSWORD).matches("\ud800" + PASSWORD)
    assert PasswordHash.of("\ud800" + PASSWORD).matches("\ud800" + PASSWORD)


@pytest.mark.parametrize(("cost", "block", "lanes"), [(2, 1, 1), (2, 16384, 2)])
@pytest.mark.parametrize("length", [16, 64])
def test_hashes_with_other_costs_can_be_compared_with(
    cost: int, block: int, lanes: int, length: int
) -> None:
    salt = bytes(range(16))
    digest = hashlib.scrypt(
        b"secret", salt=salt, n=cost, r=block, p=lanes, dklen=length, maxmem=2**27
    )
    kept = PasswordHash.load(PasswordHash(cost, block, lanes, salt, digest).dump())
    assert kept.matches("secret")
    assert not kept.matches("other")


def test_a_hash_is_text_that_shells_and_compose_leave_alone() -> None:
    kept = PasswordHash.of(PASSWORD)
    text = kept.dump()
    assert not set(text) & set("$ '\"#\\\n")
    assert PASSWORD not in text
    assert hash_of(text) == kept
    with pytest.raises(ValueError, match="is not a hash"):
        PasswordHash.load(text.replace("scrypt", "script"))
    assert text.startswith("scrypt:16384:8:1:")
    assert (len(kept.salt), len(kept.digest)) == (16, 32)
    assert PasswordHash.of(PASSWORD).dump() != text  # each has a salt of its own


def test_a_setting_may_be_the_password_itself() -> None:
    assert hash_of(PASSWORD).matches(PASSWORD)


SALT, DIGEST = "A" * 22, "A" * 43


@pytest.mark.parametrize(
    "text",
    [
        f"scrypt:2:1048576:1:{SALT}:{DIGEST}",
        f"scrypt:2:1:1:{SALT}:{SALT}",
        f"scrypt:2:1:1:{SALT}:{'A' * 86}",
        "8 chars!",
    ],
)
def test_what_just_suffices(text: str) -> None:
    check_password(text)


@pytest.mark.parametrize(
    "text",
    [
        f"scrypt:2:1048577:1:{SALT}:{DIGEST}",
        f"scrypt:1:1:1:{SALT}:{DIGEST}",
        f"scrypt:0:1:1:{SALT}:{DIGEST}",
        f"scrypt:2:0:1:{SALT}:{DIGEST}",
        f"scrypt:2:1:0:{SALT}:{DIGEST}",
        f"scrypt:2:1:1:{'A' * 20}:{DIGEST}",
        f"scrypt:2:1:1:{SALT}:{'A' * 20}",
        f"scrypt:2:1:1:{SALT}:{'A' * 87}",
        f"scrypt:2:1:1:{SALT}:{DIGEST}:more",
        f"scrypt:2:1:1:{SALT}:{DIGEST}****",
        f"scrypt:2:1048576:2:{SALT}:{DIGEST}",
        "your-password",
        "Your_Password",
        "7 chars",
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
