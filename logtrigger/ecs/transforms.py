"""What `list set 'TARGET=FIELD|TRANSFORM'` may do to a field on its way into a document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

Transform = Callable[[str], str]

_LONGEST_KNOWN = 512  # characters of a text that is remembered

# RFC 4514, section 3: a character may stand behind a backslash as it is, or as two hexadecimal digits of its UTF-8.
_PIECE = re.compile(r'\\(?P<hex>[0-9A-Fa-f]{2})|\\(?P<char>.)|(?P<quote>")|(?P<comma>[,;+])|(?P<text>[^\\",;+]+|.)', re.DOTALL)
_PART = re.compile(r"\s*(?:OID\.)?([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)\s*=", re.IGNORECASE)


def dn_name(text: str) -> str:
    """What the first part of a distinguished name says; text that is none as it is.

    >>> dn_name("CN=DOE john,OU=users,DC=example,DC=org"), dn_name("bob")
    ('DOE john', 'bob')
    """
    return next((value for _, value in _parts(text)), text)


def dn_domain(text: str) -> str:
    """The domain that the `DC` parts of a distinguished name make up; empty where it has none.

    >>> dn_domain("CN=DOE john,OU=users,DC=example,DC=org")
    'example.org'
    """
    return ".".join(value for name, value in _parts(text) if name in ("DC", "0.9.2342.19200300.100.1.25"))


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Attribute (in capitals) and value of each part of a distinguished name, in order; none where the text is no such name."""
    parts = []
    for part in _cut(text):
        found = _PART.match(part)
        if found is None:
            return
        parts.append((found[1].upper(), part[found.end() :].strip(" ").replace("\0", " ")))
    yield from parts


def _cut(text: str) -> Iterator[str]:
    """The parts between commas that stand for themselves; an escaped blank is a NUL, so that it is not stripped."""
    part, raw, is_quoted = "", bytearray(), False
    for piece in _PIECE.finditer(text.replace("\0", "")):
        if piece["hex"]:
            raw += bytes.fromhex(piece["hex"])
            continue
        part, raw = part + raw.decode("utf-8", "replace"), bytearray()
        if piece["quote"]:
            is_quoted = not is_quoted
        elif piece["comma"] and not is_quoted:
            yield part
            part = ""
        else:
            part += "\0" if piece["char"] == " " else piece["char"] or piece["comma"] or piece["text"]
    yield part + raw.decode("utf-8", "replace")


def _ip_version(text: str) -> str:
    return "ipv6" if ":" in text else "ipv4"


def _base(text: str) -> str:
    return text.rstrip("/").rpartition("/")[2] or text


def _remembered(transform: Transform) -> Transform:
    """What a log says of one user it says often; but whoever writes long texts shall fill no memory."""
    known = lru_cache(maxsize=1024)(transform)
    return lambda text: known(text) if len(text) <= _LONGEST_KNOWN else transform(text)


TRANSFORMS: dict[str, Transform] = {
    "base": _base,  # the last part of a path
    "dn_domain": _remembered(dn_domain),
    "dn_name": _remembered(dn_name),
    "ip_version": _ip_version,  # ipv4 or ipv6, for network.type
    "lower": str.lower,
    "upper": str.upper,
}
