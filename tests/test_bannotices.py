"""What is told of bans: enough to keep a list of one's own by it, and no flood."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from logtrigger.bannotices import BanNotices
from logtrigger.model import Ban, Unban
from tests.script import NOW


class Reader:
    """Hears the notices."""

    def __init__(self, *wanted: str) -> None:
        self.told: list[str] = []
        self.fields: list[Mapping[str, str]] = []
        self.notices = BanNotices(self._hear, wanted.__contains__)

    def _hear(self, state: str, text: str, fields: Mapping[str, str]) -> None:
        self.told.append(f"{state}: {text}")
        self.fields.append(fields)


def ban(seconds: float | None, network: str = "192.0.2.7", rule: str = "SSH", by: str = "") -> Ban:
    return Ban(network, NOW, None if seconds is None else NOW + seconds, rule, by)


def test_from_the_first_day_to_the_last() -> None:
    reader = Reader("ban", "unban")
    reader.notices.changed(ban(600))
    reader.notices.extended(ban(7200, rule="Web"))
    reader.notices.extended(ban(None, rule="", by="root"))
    reader.notices.changed(Unban("192.0.2.7", NOW, "lifted by root"))
    assert reader.told == [
        "ban: 192.0.2.7 is banned for 10m by rule SSH",
        "extended: 192.0.2.7 stays banned, for 2h in all, by rule Web",
        "extended: 192.0.2.7 stays banned, for ever in all, by root",
        "unban: 192.0.2.7 is no longer banned: lifted by root",
    ]


def test_a_prefix_has_a_first_address() -> None:
    reader = Reader("ban")
    reader.notices.changed(ban(600, "2001:db8::/64"))
    assert reader.fields == [{"ip": "2001:db8::", "network": "2001:db8::/64"}]


def test_who_goes_on_knocking_is_told_once_a_minute_and_no_end_is_lost() -> None:
    """Each failure of a banned address puts the end off by a little; together they are never more than a minute ahead."""
    reader = Reader("ban")
    reader.notices.changed(ban(600))
    for second in range(1, 301):
        reader.notices.extended(ban(600 + second))
    assert len(reader.told) == 1 + 5
    reader.notices.changed(Unban("192.0.2.7", NOW, "expired"))
    reader.notices.changed(ban(60))
    reader.notices.extended(ban(90))
    assert len(reader.told) == 7


@pytest.mark.parametrize("by", [-1e6, 1e6])
def test_a_clock_that_is_set_hides_no_extension_and_makes_none_up(by: float) -> None:
    """Bans move along with it."""
    reader = Reader("ban")
    reader.notices.changed(ban(600))
    for seconds in (630, 7200):
        reader.notices.extended(Ban("192.0.2.7", NOW + by, NOW + by + seconds, "SSH"))
    assert reader.told[1:] == ["extended: 192.0.2.7 stays banned, for 2h in all, by rule SSH"]


def test_after_a_restart_an_extension_is_told() -> None:
    """What was told before is not known any more: once too often is better than never."""
    reader = Reader("ban")
    reader.notices.extended(ban(600))
    reader.notices.extended(ban(601))
    assert reader.told == ["extended: 192.0.2.7 stays banned, for 10m in all, by rule SSH"]


@pytest.mark.parametrize(("wanted", "states"), [("ban", ["ban", "extended"]), ("unban", ["unban"]), ("start", [])])
def test_who_wants_one_only(wanted: str, states: list[str]) -> None:
    reader = Reader(wanted)
    reader.notices.changed(ban(600))
    reader.notices.extended(ban(7200))
    reader.notices.changed(Unban("192.0.2.7", NOW, "expired"))
    assert [text.partition(":")[0] for text in reader.told] == states
