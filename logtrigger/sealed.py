"""Small files that save work at the next start. One is believed only where it is ours alone to write, whole, and for just this.

A damaged or foreign file is as good as none, and a disk that is full only means doing the work again.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from logtrigger.digests import blake2b

DIGEST = 32  # bytes


def digest(data: bytes) -> bytes:
    """What stands for some bytes, DIGEST long."""
    return blake2b(data, digest_size=DIGEST).digest()


def read(path: Path, label: bytes) -> bytes | None:
    """What was written under this label; None where the file is missing, somebody else's, damaged, or for something else."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            found = file.read()
    except OSError:
        return None
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        return None
    start = len(label) + DIGEST
    content = found[start:]
    return content if found[:start] == label + digest(content) else None


def write(path: Path, label: bytes, content: bytes) -> bool:
    """Write the file, all or nothing, and its folder where there is none; whether that could be done."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(label + digest(content) + content)
            fresh.replace(path)
            return True
        finally:
            fresh.unlink(missing_ok=True)
    return False
