"""Which file a line belongs into: templates such as /srv/log/{peer}/{program}.log, and names no sender can misuse."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from logtrigger.digests import blake2s

FIELDS = ("peer", "host", "program", "facility", "severity", "year", "month", "day")
LONGEST = 100  # bytes of a name

_PIECES = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNSAFE = re.compile(r"[^A-Za-z0-9._:@+-]")
_DIGEST = 8  # characters that keep names apart whose end was cut


class Template:
    """A path in which fields stand in braces.

    `folder` is the part before the first name that holds a field: everything is written inside it.

    >>> template = Template("/srv/log/{peer}/{program}.log")
    >>> template.folder, template.names({"peer": "192.0.2.7", "program": "postfix/smtpd"})
    ('/srv/log', ('192.0.2.7', 'postfix_smtpd.log'))
    >>> template.names({"peer": "../../etc", "program": ""})
    ('_._.._etc', 'unknown.log')

    Args:
        text: the path.
        known: the fields that may stand in it; None: whatever looks like a name.

    Raises:
        ValueError: says what is wrong with the text, and what to write instead.
    """

    def __init__(self, text: str, known: Collection[str] | None = FIELDS) -> None:
        self.text = text
        if not text.startswith("/"):
            raise ValueError("write a path that begins with /, such as /srv/log/{peer}/{program}.log")
        parts = text[1:].split("/")
        for part in parts:
            _check(part, known)
        fixed = next((i for i, part in enumerate(parts) if "{" in part), len(parts) - 1)
        if fixed == 0:
            raise ValueError("begin with a folder that holds no field, such as /srv/log/{host}.log")
        self.folder = "/" + "/".join(parts[:fixed])
        self._parts = [_PIECES.split(part) for part in parts[fixed:]]  # text and fields in turns
        self.fields = frozenset(field for part in self._parts for field in part[1::2])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def names(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """The names below `folder`, the last one the file's. A field without a value is 'unknown'."""
        return tuple(_name(part, values) for part in self._parts)


def _check(part: str, known: Collection[str] | None) -> None:
    if part in ("", ".", ".."):
        raise ValueError(f"'{part}' is no name in a path; write it without")
    rest = _PIECES.sub("", part)
    if "{" in rest or "}" in rest:
        raise ValueError("a brace is left open; write a field as {host}")
    if len(rest.encode()) > LONGEST // 2:
        raise ValueError(f"a name may hold {LONGEST // 2} bytes of its own besides its fields")
    for field in _PIECES.findall(part):
        if known is None and not _NAME.fullmatch(field):
            raise ValueError(f"{{{field}}} is no name of a field; write one such as {{host}}")
        if known is not None and field not in known:
            raise ValueError(f"there is no field {{{field}}}; there are {', '.join(known)}")


def _name(part: list[str], values: Mapping[str, str]) -> str:
    """One name of a path: no slash, no leading dot, no control, and short enough for every file system."""
    pieces = [_safe(values.get(piece, "")) if i % 2 else piece for i, piece in enumerate(part)]
    name = "".join(pieces)
    if len(name.encode()) > LONGEST:
        end = part[-1] if len(part) > 1 else ""
        digest = blake2s(name.encode(), digest_size=_DIGEST // 2).hexdigest()
        room = LONGEST - len(end.encode()) - _DIGEST - 1
        name = f"{name.encode()[:room].decode('utf-8', 'ignore')}~{digest}{end}"
    return name if name[0] != "." else f"_{name[1:]}"


def _safe(value: str) -> str:
    return _UNSAFE.sub("_", value) or "unknown"
