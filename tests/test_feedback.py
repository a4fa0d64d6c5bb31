"""What we have lines about ourselves reaches the rules that read it, and is forgotten with them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from logtrigger.feedback import Feedback
from logtrigger.model import Ban, Chunk, Trigger
from logtrigger.rule import BANS, FED
from tests.script import NOW

BAN = Ban("192.0.2.7", NOW, NOW + 600, "sshd", trigger="sshd@f00:7")


def trigger(source: str = "/var/log/auth.log") -> Trigger:
    return Trigger("sshd@f00:7", "sshd", NOW, 1, ("192.0.2.7",), {"ip": "192.0.2.7"}, "m", "m", source)


def feedback(*sources: str) -> tuple[Feedback, list[Chunk], list[str]]:
    chunks: list[Chunk] = []
    forgotten: list[str] = []
    engine: Any = SimpleNamespace(sources=sources, forget=forgotten.append)
    return Feedback(lambda: engine, chunks.append, lambda: NOW), chunks, forgotten


def test_bans_are_fed_when_their_turn_comes() -> None:
    made, chunks, forgotten = feedback(BANS)
    made.note(BAN, "192.0.2.7", trigger())
    assert chunks == []
    made.bans()
    made.bans()
    assert [(chunk.source, chunk.stream) for chunk in chunks] == [(BANS, "bans sshd@f00:7")]
    assert b" logtrigger: ban 192.0.2.7 rule=sshd time=600\n" in chunks[0].data
    assert forgotten == ["bans sshd@f00:7"]


def test_ban_that_such_a_line_has_caused_is_fed_no_more() -> None:
    made, chunks, _ = feedback(BANS)
    made.note(BAN, "192.0.2.7", trigger(BANS))
    made.bans()
    assert chunks == []


def test_nothing_is_made_for_nobody() -> None:
    made, chunks, forgotten = feedback("/var/log/auth.log")
    made.note(BAN, "192.0.2.7", trigger())
    made.bans()
    made.output("look", trigger(), ["a"])
    assert (chunks, forgotten) == ([], [])


def test_output_of_a_script_is_a_stream_of_its_own() -> None:
    source = f"{FED}look"
    made, chunks, forgotten = feedback(source)
    made.output("look", trigger(), ["one", "two \udcff"])
    assert chunks == [Chunk(source, source, f"{source} sshd@f00:7", 0, 10, b"one\ntwo ?\n")]
    assert forgotten == [f"{source} sshd@f00:7"]
