"""Passwords as argon2id hashes, and keys of programs as SHA-256: neither can be read back."""

from __future__ import annotations

import secrets
from functools import cache
from hashlib import sha256

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from tutelage.desk.errors import DeskError

SHORTEST, LONGEST = 8, 1000
KEY_MARK = "tutelage-"
_hasher = PasswordHasher()  # argon2id with the second parameters that RFC 9106 recommends (64 MiB, 3 passes)


def hash_password(password: str) -> str:
    """The hash to keep. Raises DeskError for a password of fewer than 8 or more than 1,000 characters."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise DeskError("desk.bad_password", length=len(password), shortest=SHORTEST, longest=LONGEST)
    return _hasher.hash(password)


def is_password(password: str, kept_hash: str) -> bool:
    """Whether the password belongs to the hash; takes the same time for either answer."""
    try:
        return _hasher.verify(kept_hash, password[:LONGEST + 1])
    except (VerifyMismatchError, InvalidHashError):
        return False


@cache
def hash_of_nobody() -> str:
    """A hash that no password belongs to, made once: an unknown name is checked against it, to take as long as a known one."""
    return _hasher.hash(secrets.token_urlsafe(32))


def make_key() -> str:
    """A new key of 256 random bits."""
    return KEY_MARK + secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """Hex SHA-256; a key is random, so a slow hash would gain nothing."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
