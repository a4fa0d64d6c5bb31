"""The shipped files of logtrigger.pyz, laid where they can be opened: the program may run from within an archive, they cannot.

They are unpacked once, beside the state, into a folder named by what is in them; where that cannot be, for this process.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from logtrigger.digests import blake2b

_SHARE = "logtrigger/share/"


@cache
def folder(archive: Path) -> Path:
    """The folder that holds what stands below logtrigger/share in an archive."""
    from logtrigger.config import places, trust  # which load us

    with ZipFile(archive) as packed:
        wanted = [entry for entry in packed.infolist() if entry.filename.startswith(_SHARE) and not entry.is_dir()]
        place = places.default_state().parent / f"share-{_digest(wanted)}"
        try:
            if not place.exists():
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _unpack(packed, wanted, place)
            if not list(trust.doubts(place, place.stat())):
                return place
        except OSError:
            pass  # nothing can be written there, by us
        place = Path(tempfile.mkdtemp(prefix="logtrigger-"))
        atexit.register(shutil.rmtree, place, ignore_errors=True)
        _unpack(packed, wanted, place / "share")
        return place / "share"


def _digest(entries: list[ZipInfo]) -> str:
    return blake2b(repr(sorted((entry.filename, entry.CRC) for entry in entries)).encode(), digest_size=8).hexdigest()


def _unpack(packed: ZipFile, entries: list[ZipInfo], place: Path) -> None:
    """All of it or nothing."""
    new = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        for entry in entries:
            target = new / entry.filename.removeprefix(_SHARE)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(packed.read(entry))
            target.chmod(0o644)
        for folder in [new, *(path for path in new.rglob("*") if path.is_dir())]:
            folder.chmod(0o755)
        os.rename(new, place)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        if not place.exists():  # else another process was quicker
            raise
