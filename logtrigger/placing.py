"""Where the files that come with the program belong on a machine, and putting them there: what `logtrigger setup` does.

Nothing that somebody has changed is ever written over: what we have put somewhere is noted with its digest, in the form of
sha256sum(1), and a file that is neither as noted nor as it is to be keeps its place; the new one is laid beside it.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from logtrigger import shipped

NOTES = "etc/logtrigger/.installed"
_FOLDER = "etc/logtrigger"


@dataclass(frozen=True, slots=True)
class Piece:
    """A file for a machine.

    Attributes:
        target: its place, below the root.
        content: what is to stand in it.
        executable: whether it is a program.
        beside: where it goes, if something else stands in its place.
    """

    target: str
    content: bytes
    executable: bool = False
    beside: str = ""

    @property
    def aside(self) -> str:
        """The place beside it."""
        return self.beside or f"{self.target}.new"


@dataclass(frozen=True, slots=True)
class Done:
    """What has become of one place."""

    path: Path
    what: str


def pieces(root: Path, prefix: str, command: Sequence[str]) -> Iterator[Piece]:
    """What belongs on this machine.

    Args:
        root: the machine's root folder.
        prefix: where its manual pages are, below the root.
        command: what starts logtrigger there, with its whole path.
    """
    yield Piece("etc/config/logtrigger", _read("etc/config/logtrigger"))
    for path in shipped.files("scripts", ".sh"):
        yield Piece(f"{_FOLDER}/{path.name}", path.read_bytes(), executable=True)
    yield Piece(f"{_FOLDER}/rules.d/README", _read(f"{shipped.RULES}/README"))
    if is_openwrt(root):
        yield Piece("etc/init.d/logtrigger", init_script(_read("etc/init.d/logtrigger"), command), executable=True)
        yield Piece(f"{_FOLDER}/firewall.include", _read("etc/openwrt/firewall.include"))
        return
    for path in (page for section in "58" for page in shipped.files("man", f".{section}")):
        yield Piece(f"{prefix.strip('/')}/share/man/man{path.suffix[1:]}/{path.name}", path.read_bytes())
    if has_systemd(root):
        yield Piece("etc/systemd/system/logtrigger.service", unit(_read("etc/systemd/logtrigger.service"), command))
    if (root / "etc/logrotate.d").is_dir():  # each file in there is read, whatever its name
        rotation = _read("etc/logrotate.d/logtrigger")
        yield Piece("etc/logrotate.d/logtrigger", rotation, beside=f"{_FOLDER}/logrotate.new")


def is_openwrt(root: Path) -> bool:
    """Whether the system below this folder is OpenWrt."""
    return (root / "etc/openwrt_release").exists()


def has_systemd(root: Path) -> bool:
    """Whether systemd starts what runs there."""
    return any((root / folder).is_dir() for folder in ("run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"))


def unit(text: bytes, command: Sequence[str]) -> bytes:
    """The unit with this command in place of /usr/bin/logtrigger.

    >>> unit(b"ExecStart=/usr/bin/logtrigger -D 1", ["/opt/my lt/logtrigger"])
    b'ExecStart="/opt/my lt/logtrigger" -D 1'
    """
    words = [word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$") for word in command]
    quoted = " ".join(f'"{word}"' if re.search(r"[\s'\";\\]", word) else word for word in words)
    return text.replace(b"=/usr/bin/logtrigger ", f"={quoted} ".encode())


def init_script(text: bytes, command: Sequence[str]) -> bytes:
    """The init script with this command in place of /usr/bin/logtrigger.

    >>> init_script(b'PROG=/usr/bin/logtrigger', ["/opt/lt"]), init_script(b'"$PROG" check', ["python3", "/opt/lt.pyz"])
    (b'PROG=/opt/lt', b'python3 /opt/lt.pyz check')
    """
    quoted = shlex.join(command).encode()
    if len(command) == 1:
        return text.replace(b"PROG=/usr/bin/logtrigger", b"PROG=" + quoted)
    return text.replace(b"PROG=/usr/bin/logtrigger\n", b"").replace(b'"$PROG"', quoted)


def place(root: Path, wanted: Sequence[Piece], *, dry_run: bool = False) -> Iterator[Done]:
    """Put the pieces where they belong. Raises OSError for the first that cannot be put there."""
    noted = _noted(root)
    try:
        for piece in wanted:
            yield Done(root / piece.target, _place(root, piece, noted, dry_run))
    finally:
        if not dry_run and noted != _noted(root):
            _note(root, noted)


def _place(root: Path, piece: Piece, noted: dict[str, str], dry_run: bool) -> str:
    """Put one piece where it belongs, and note that; what was done."""
    target, digest = root / piece.target, _digest(piece.content)
    is_new = not os.path.lexists(target)  # a link that leads nowhere now is somebody's all the same
    there = target.read_bytes() if target.is_file() else None
    as_noted = there is not None and _digest(there) == noted.get(piece.target)
    write: Callable[[Path], None] = lambda path: None if dry_run else _write(root, path, piece)  # noqa: E731
    if there == piece.content:
        noted[piece.target] = digest
        return "is there already"
    if is_new or (as_noted and not target.is_symlink()):
        write(target)
        noted[piece.target] = digest
        return "installed" if is_new else "brought up to date"
    aside = root / piece.aside
    write(aside)
    noted[piece.aside] = digest
    return f"kept, as it was changed; the new one is {aside}"


def remove(root: Path, *, dry_run: bool = False) -> Iterator[Done]:
    """Take away what was put there and has not been changed, and the folders that are empty then."""
    noted = _noted(root)
    for name, digest in noted.items():
        path = root / name
        if not path.is_file():
            continue
        if _digest(path.read_bytes()) != digest or path.is_symlink():
            yield Done(path, "kept, as it was changed")
            continue
        if not dry_run:
            path.unlink()
        yield Done(path, "removed")
    if not dry_run and noted:
        (root / NOTES).unlink()
        for folder in (f"{_FOLDER}/rules.d", _FOLDER):
            with suppress(OSError):
                (root / folder).rmdir()


def _write(root: Path, path: Path, piece: Piece) -> None:
    """All of it or nothing, and as the file was that stood there."""
    if not path.parent.resolve().is_relative_to(root.resolve()):  # by a link that means another root
        raise OSError(errno.EXDEV, f"leads to {path.parent.resolve()}, out of {root}", str(path))
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o7777 if path.exists() else 0o755 if piece.executable else 0o644
    _replace(path, piece.content, mode)


def _replace(path: Path, content: bytes, mode: int) -> None:
    descriptor, new = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def _read(name: str) -> bytes:
    return shipped.path(name).read_bytes()


def _digest(content: bytes) -> str:
    import hashlib  # noqa: TID251 - sha256sum's digest, in a command that no daemon loads

    return hashlib.sha256(content).hexdigest()


def _noted(root: Path) -> dict[str, str]:
    """Digests by places, of what we have put somewhere; a line that is none of ours is passed over."""
    path = root / NOTES
    lines = path.read_text().splitlines() if path.exists() else []
    return {place: digest for digest, _, place in (line.partition("  ") for line in lines) if place}


def _note(root: Path, noted: dict[str, str]) -> None:
    path = root / NOTES
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    _replace(path, "".join(f"{digest}  {place}\n" for place, digest in noted.items()).encode(), 0o644)
