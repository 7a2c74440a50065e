"""Passwords, of which only a hash is kept: scrypt, with its costs and its salt in the text."""

import base64
import binascii
import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass

from echostream.checks import PLACEHOLDERS

LEAST_CHARS = 8
_PLACEHOLDERS = PLACEHOLDERS | {"password", "your-password", "your_password"}
_SCHEME = "scrypt"
_PARTS = 6
_COST, _BLOCK, _LANES = 2**14, 8, 1
"""16 MB of memory and some 50 ms for each guess."""
_MOST_MEMORY_BYTES = 256 * 2**20
_SALT_BYTES, _DIGEST_BYTES = 16, 32
_LEAST_BYTES = 16


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """What is kept of a password: nobody can tell from it what the password was."""

    cost: int
    block: int
    lanes: int
    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, password: str) -> "PasswordHash":
        salt = secrets.token_bytes(_SALT_BYTES)
        return cls(_COST, _BLOCK, _LANES, salt, _digest(password, _COST, _BLOCK, _LANES, salt))

    @classmethod
    def load(cls, text: str) -> "PasswordHash":
        """Reads what `dump` returned. Raises ValueError for anything else, also for costs that
        would take more memory than a guess may."""
        parts = text.split(":")
        if parts[0] != _SCHEME or len(parts) != _PARTS:
            raise ValueError("is not a hash as `echostream password` makes it")
        try:
            cost, block, lanes = map(int, parts[1:4])
            salt, digest = map(_decoded, parts[4:])
        except (ValueError, binascii.Error) as error:
            raise ValueError("is not a hash as `echostream password` makes it") from error
        if cost < 2 or cost & (cost - 1) or block < 1 or lanes < 1:
            raise ValueError("has costs that scrypt does not know")
        if 128 * cost * block * lanes > _MOST_MEMORY_BYTES:
            raise ValueError("has costs that take more than 256 MB for each guess")
        if min(len(salt), len(digest)) < _LEAST_BYTES or len(digest) > 2 * _DIGEST_BYTES:
            raise ValueError("has a salt or a digest of a wrong length")
        return cls(cost, block, lanes, salt, digest)

    def dump(self) -> str:
        """The hash as text: `scrypt:<cost>:<block>:<lanes>:<salt>:<digest>`. It has no `$`, in
        which compose.yaml and shells would see a variable."""
        costs = f"{self.cost}:{self.block}:{self.lanes}"
        return f"{_SCHEME}:{costs}:{_encoded(self.salt)}:{_encoded(self.digest)}"

    def matches(self, password: str) -> bool:
        """Blocks for as long as hashing takes. Compares in constant time."""
        length = len(self.digest)
        found = _digest(password, self.cost, self.block, self.lanes, self.salt, length)
        return hmac.compare_digest(found, self.digest)


def check_password(text: str) -> None:
    """Raises ValueError if this protects nothing: a password that is soon guessed, or what is meant
    as a hash but is none. The message does not contain it."""
    if _is_hash(text):
        PasswordHash.load(text)
        return
    if text.lower() in _PLACEHOLDERS:
        raise ValueError("is a placeholder; set a password of your own or leave it unset")
    if len(text) < LEAST_CHARS:
        raise ValueError(f"must have {LEAST_CHARS} characters or more")


def hash_of(text: str) -> PasswordHash:
    """The hash that a setting stands for: it has it ready, or it is the password itself. Raises
    ValueError for a malformed hash."""
    return PasswordHash.load(text) if _is_hash(text) else PasswordHash.of(text)


def _is_hash(text: str) -> bool:
    return text.startswith(f"{_SCHEME}:")


def _digest(
    password: str, cost: int, block: int, lanes: int, salt: bytes, length: int = _DIGEST_BYTES
) -> bytes:
    # Keyboards differ in how they write one and the same letter.
    typed = unicodedata.normalize("NFC", password).encode(errors="surrogatepass")
    memory = 128 * block * (cost + lanes + 2) + 2**20
    return hashlib.scrypt(typed, salt=salt, n=cost, r=block, p=lanes, dklen=length, maxmem=memory)


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
