"""A ban as a line: at the time it began, about whom, and the same again after a crash."""

from __future__ import annotations

from logtrigger import banlines, headers
from logtrigger.model import Ban

NOW = 1_795_245_373.25


def test_line() -> None:
    chunk = banlines.chunk(Ban("2001:db8::/64", NOW, NOW + 600, "My rule", trigger="My rule@f00:7"), "2001:db8::7", NOW)
    assert chunk.data.endswith(b" logtrigger: ban 2001:db8::7 rule=My rule time=600\n")
    assert (chunk.source, chunk.stream, chunk.end) == ("bans", "bans My rule@f00:7", len(chunk.data))
    header = headers.parse(chunk.data.rstrip())
    assert (header.program, header.time(NOW + 60)) == ("logtrigger", NOW)


def test_for_ever() -> None:
    assert banlines.chunk(Ban("192.0.2.7", NOW, None, "r"), "192.0.2.7", NOW).data.endswith(b" time=0\n")


def test_one_that_began_a_while_ago_counts_from_then() -> None:
    ban = Ban("192.0.2.7", NOW, NOW + 600, "r")
    assert not banlines.chunk(ban, "192.0.2.7", NOW + 0.5).catching_up
    assert banlines.chunk(ban, "192.0.2.7", NOW + 60).catching_up
