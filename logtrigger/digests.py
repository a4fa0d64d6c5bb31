"""BLAKE2 (RFC 7693) without what hashlib brings along: OpenSSL, which takes 3.5 MB."""

from __future__ import annotations

try:
    from _blake2 import blake2b, blake2s
except ImportError:  # another Python than CPython
    from hashlib import blake2b, blake2s  # noqa: TID251 - where there is nothing else

__all__ = ["blake2b", "blake2s"]
