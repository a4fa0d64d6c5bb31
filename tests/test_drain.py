"""Nobody who stops reading stops the work."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest

from logtrigger import drain as drain_module
from logtrigger.drain import Drain


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    reader, writer = os.pipe()
    with open(writer, "w", encoding="utf-8") as stream:
        yield reader, stream
    os.close(reader)


def read_all(fd: int) -> bytes:
    found = b""
    while data := os.read(fd, 65_536):
        found += data
    return found


def test_texts_are_written_in_order_and_whole(pipe: tuple[int, TextIO]) -> None:
    reader, stream = pipe
    drain, found = Drain(stream), list[bytes]()
    reading = threading.Thread(target=lambda: found.append(read_all(reader)))
    reading.start()
    texts = [f"line {number} \u00e9\n" for number in range(50_000)]
    for text in texts:
        assert drain.write(text) == len(text)
    drain.close()
    stream.close()
    reading.join(30)
    assert b"".join(found).decode() == "".join(texts)


def test_a_reader_who_does_not_read_holds_nothing_up(pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much is left out, and that is told once there is a reader again."""
    monkeypatch.setattr(drain_module, "_PATIENCE", 0.01)
    monkeypatch.setattr(drain_module, "_ROOM", 200_000)
    reader, stream = pipe
    drain = Drain(stream)
    for number in range(100_000):
        drain.write(f"{number:099}\n")
    drain.close()  # returns although nothing was read
    found, reading = list[bytes](), threading.Thread(target=lambda: found.append(read_all(reader)))
    reading.start()
    drain._thread.join(30)
    stream.close()
    reading.join(30)
    text = b"".join(found).decode()
    assert text.startswith("0" * 99)
    assert text.endswith("texts are left out here: nobody read in time\n")
    assert text.count("\n") < 100_000
