"""Plain or packed, a file says the same at the same place."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger.sources import content as content_module
from logtrigger.sources.content import Packed, Unfinished, open_content, unpacked_size

TEXT = b"".join(b"line %d\n" % number for number in range(5000))
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
}


@pytest.mark.parametrize("suffix", PACKERS)
def test_any_place_can_be_read_in_any_order(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_module, "STEP", 1000)
    path = tmp_path / f"log{suffix}"
    path.write_bytes(PACKERS[suffix](TEXT))
    content = open_content(str(path))
    for size, offset in [(10, 0), (10, 10), (100, 20_000), (5, 3), (1 << 20, 40_000), (10, len(TEXT)), (10, 1 << 20)]:
        assert content.read_at(size, offset) == TEXT[offset : offset + size]
    content.close()


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2"])
def test_a_file_without_its_end_is_unfinished(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    path.write_bytes(PACKERS[suffix](TEXT)[:-9])
    content = open_content(str(path))
    with pytest.raises(Unfinished):
        content.read_at(1, 1 << 20)


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2"])
def test_damage_is_said(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    data = bytearray(PACKERS[suffix](TEXT))
    data[len(data) // 2] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(OSError, match="damaged"):
        open_content(str(path)).read_at(1, 1 << 20)


@pytest.mark.parametrize("suffix", [".lz4", ".Z", *([".zst"] if sys.version_info < (3, 14) else [])])
def test_what_cannot_be_unpacked_is_said(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    path.touch()
    with pytest.raises(OSError, match="cannot be unpacked here"):
        open_content(str(path))


def test_going_on_is_done_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_module, "STEP", 1000)
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(TEXT))
    content = open_content(str(path))
    assert isinstance(content, Packed)
    content.read_at(1, 0)
    steps = 0
    while not content.is_near(10_000):
        steps += 1
    assert 8 <= steps <= 10
    assert content.read_at(5, 10_000) == TEXT[10_000:10_005]


def test_a_gzip_file_tells_its_size(tmp_path: Path) -> None:
    for suffix, size in ((".gz", len(TEXT)), (".xz", None), ("", None)):
        path = tmp_path / f"log{suffix}"
        path.write_bytes(PACKERS[suffix](TEXT))
        assert unpacked_size(open_content(str(path))) == size
