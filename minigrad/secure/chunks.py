"""The file format: a header, then chunks that AES-256-GCM encrypts and authenticates one by one.

    header   92 bytes: b"mgcrypt1"; log2 of the chunk size; 0 for a random key or log2 n of scrypt;
             r; p; 4 zeros; a random salt (32); CRC-32 (4, big-endian), HMAC-SHA-256 (32), zeros (8)
    chunk i  chunk size bytes (the last one: what is left), encrypted, and a tag of 16 bytes

Keys of the file: HKDF-SHA-256 of the main key with the salt, one for the chunks and one for the
header's HMAC. So no two files share a key, and a chunk's number and a mark on the last one are
enough of a nonce (the STREAM construction: Hoang, Reyhanitabar, Rogaway and Vizár, 2015): a chunk
that is changed, moved, left out, repeated or taken from another file fails, and so does a file that
ends early or goes on. The header is authenticated with every chunk, too.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import zlib
from typing import Any

from .keys import Key, check_costs, need

MAGIC = b"mgcrypt1"
HEADER = 92
TAG = 16
_SALT = slice(16, 48)
_CRC = slice(48, 52)
_MAC = slice(52, 84)


class DecryptionError(RuntimeError):
    """A file that is damaged, cut off, altered or not encrypted."""


class WrongKey(DecryptionError):
    """A file that another key was used for."""


class Cipher:
    """The keys of one file, and its chunks' encryption."""

    def __init__(self, key: Key, header: bytes):
        self.header = header
        self.size = 1 << header[8]
        costs = (1 << header[9], header[10], header[11]) if header[9] else None
        salt = header[_SALT]
        derive = need("hazmat.primitives.kdf.hkdf").HKDF
        sha256 = need("hazmat.primitives.hashes").SHA256
        keys = derive(sha256(), 64, salt, b"minigrad.secure 1: chunks, header").derive(
            key.main_key(salt, costs)
        )
        self._aead = need("hazmat.primitives.ciphers.aead").AESGCM(keys[:32])
        self._invalid = need("exceptions").InvalidTag
        self.mac = hmac.new(keys[32:], header[:48], hashlib.sha256).digest()

    def _nonce(self, number: int, last: bool) -> bytes:
        return number.to_bytes(11, "big") + (b"\1" if last else b"\0")

    def seal(self, number: int, last: bool, plain: Any) -> bytes:
        """A chunk encrypted, with its tag."""
        return self._aead.encrypt(self._nonce(number, last), plain, self.header)

    def unseal(self, number: int, last: bool, sealed: bytes) -> bytes | None:
        """A chunk's plain bytes; None if it is not what was written at this place."""
        try:
            return self._aead.decrypt(self._nonce(number, last), sealed, self.header)
        except self._invalid:
            return None


def new_cipher(key: Key, chunk_size: int) -> Cipher:
    """The keys and the header of a new file. ValueError for sizes other than 2**10 to 2**26."""
    if not 1 << 10 <= chunk_size <= 1 << 26 or chunk_size & (chunk_size - 1):
        raise ValueError(f"chunk_size is {chunk_size}; needed: a power of two from 2**10 to 2**26")
    n, r, p = key.costs or (1, 0, 0)
    fixed = MAGIC + bytes([chunk_size.bit_length() - 1, n.bit_length() - 1, r, p, 0, 0, 0, 0])
    fixed += os.urandom(32)
    cipher = Cipher(key, fixed)
    rest = zlib.crc32(fixed).to_bytes(4, "big") + cipher.mac
    cipher.header = (fixed + rest).ljust(HEADER, b"\0")
    return cipher


def cipher_of(key: Key, header: bytes, name: str) -> Cipher:
    """The keys of a file with this header. WrongKey, or DecryptionError for a damaged header."""
    if header[:8] != MAGIC:
        kind = "is empty" if not header else "is not encrypted by minigrad.secure, or damaged"
        raise DecryptionError(f"{name} {kind}")
    if len(header) < HEADER:
        raise DecryptionError(f"{name} is cut off: it ends within its header")
    if zlib.crc32(header[:48]).to_bytes(4, "big") != header[_CRC] or header[84:] != bytes(8):
        raise DecryptionError(f"{name}: its header is damaged")
    by_passphrase = header[9] != 0
    if by_passphrase != (key.costs is not None):
        needed = "a passphrase" if by_passphrase else "a random key, as from a key file"
        raise WrongKey(f"{name}: {key!r} was given; needed: {needed}")
    if not 10 <= header[8] <= 26 or header[12:16] != bytes(4):
        raise DecryptionError(f"{name}: its header is of another version, or altered")
    if by_passphrase:
        try:
            check_costs(1 << min(header[9], 99), header[10], header[11])
        except ValueError as error:
            raise DecryptionError(f"{name}: its header is refused ({error})") from None
    cipher = Cipher(key, header)
    if not hmac.compare_digest(cipher.mac, header[_MAC]):
        raise WrongKey(f"{name} was encrypted with another key (or its header was altered)")
    return cipher
