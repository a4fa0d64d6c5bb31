"""The shipped configuration: without a mistake, and each promise of its comments kept."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from logtrigger import config
from logtrigger.config import uci
from logtrigger.config.words import Report
from logtrigger.engine import Engine
from logtrigger.model import Chunk
from logtrigger.rule import SYSTEM_LOG, Settings
from tests.scripts.conftest import SCRIPTS

RULES = SCRIPTS.parent / "etc/config/logtrigger"
HEADER = "Nov 29 17:20:00 gate "

# What five of in ten minutes lead to a block, by whom {ip}; and what is forgiven in between.
WRONG = {
    "SIP_WrongPass": "Freeswitch: SIP registration failed User:1001 IP:{ip}",
    "SIP_WrongInvite": "Freeswitch: SIP invite failed User:1001 IP:{ip}",
    "SIP_WrongPass_Sofia": "freeswitch[8]: s.c:17 SIP auth failure (REGISTER) on sofia profile 'i' for [1@a] from ip {ip}",
    "SIP_WrongInvite_Sofia": "freeswitch[8]: s.c:17 SIP auth failure (INVITE) on sofia profile 'i' for [1@a] from ip {ip}",
    "Dropbear_WrongPass": "dropbear[7]: Bad password attempt for 'root' from {ip}:56789",
    "Dropbear_FailedExit": "dropbear[7]: Exit before auth from <{ip}:5678>: (user 'root', 3 fails): Exited normally",
    "SSH_WrongPass": "sshd[7]: Failed password for root from {ip} port 22 ssh2",
    "SSH_InvalidUser": "sshd-session[7]: Invalid user bob from {ip} port 22",
    "LuCI_WrongPass": "uhttpd[7]: [info] luci: failed login on / for root from {ip}",
}
GOOD = {
    "SIP": "Freeswitch: SIP registration succeeded User:1001 IP:{ip}",
    "Dropbear": "dropbear[7]: Password auth succeeded for 'root' from {ip}:56790",
    "SSH": "sshd[7]: Accepted password for root from {ip} port 23 ssh2",
    "LuCI": "uhttpd[7]: [info] luci: accepted login on / for root from {ip}",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The shipped rules with the shipped scripts, installed into a folder of the test's."""
    for script in SCRIPTS.glob("*.sh"):
        shutil.copy(script, tmp_path)
    tmp_path.chmod(0o700)
    installed = tmp_path / "logtrigger"
    installed.write_text(RULES.read_text().replace("'/etc/logtrigger/", f"'{tmp_path}/"))
    for file in tmp_path.iterdir():
        file.chmod(0o700)
    found, warnings = config.load(installed)
    assert warnings == ()
    return found


class Log:
    """Feeds an engine with messages, and keeps what they trigger."""

    def __init__(self, settings: Settings) -> None:
        self.engine = Engine(settings)
        self.offset = 0

    def write(self, message: str, at: float) -> list[str]:
        """The rules that a message triggers, those aside that only log it."""
        data = f"{HEADER}{message}\n".encode()
        chunk = Chunk(SYSTEM_LOG, "log", "log", self.offset, self.offset + len(data), data)
        self.offset += len(data)
        return [trigger.rule for trigger in self.engine.feed(chunk, at) if trigger.rule in WRONG]


def test_every_rule_has_samples_and_a_script(settings: Settings) -> None:
    report = Report()
    sections = [one.options for one in uci.parse(RULES.read_bytes(), str(RULES), report) if one.type == "rule"]
    assert report.complaints == []
    for options in sections:
        assert {"expect", "reject", "script"} <= set(options), options["name"].values[0].text
    assert len(sections) == len(settings.rules)


def test_names_of_the_original(settings: Settings) -> None:
    """Scripts written for the C Logtrigger find the rule names they know."""
    names = {rule.name for rule in settings.rules}
    assert {"SIP_WrongPass", "DDNS_Status", "SIP_Login", "Dropbear_Notice", "Dropbear_Login", "MiniUPNPD"} <= names


def test_those_who_may_be_blocked_lead_to_the_script(settings: Settings) -> None:
    blocking = {rule.name for rule in settings.rules if rule.script and rule.script.name == "ipblock.sh"}
    assert blocking == set(WRONG)


def test_plain_quotes() -> None:
    """Single quotes, but for values that hold some; no backslash, which double quotes would swallow."""
    for line in RULES.read_text().splitlines():
        if re.match(r"\s*(option|list) ", line):
            value = line.split(None, 2)[2]
            inside = re.fullmatch(r"'([^']*)'(\s+#.*)?|\"([^\"\\]*'[^\"\\]*)\"", value)
            assert inside, line


@pytest.mark.parametrize("ip", ["192.0.2.7", "2001:db8::7"])
@pytest.mark.parametrize("name", WRONG)
def test_five_in_a_row(settings: Settings, name: str, ip: str) -> None:
    log, message = Log(settings), WRONG[name].format(ip=ip)
    assert [log.write(message, 1000.0 + 150 * n) for n in range(5)] == [[], [], [], [], [name]]


@pytest.mark.parametrize("name", WRONG)
def test_five_in_more_than_ten_minutes(settings: Settings, name: str) -> None:
    log, message = Log(settings), WRONG[name].format(ip="192.0.2.7")
    assert [log.write(message, 1000.0 + 151 * n) for n in range(10)] == [[]] * 10


@pytest.mark.parametrize("name", [name for name in WRONG if name != "LuCI_WrongPass"])
def test_a_good_one_between_them(settings: Settings, name: str) -> None:
    """It is forgiven to that address, and to no other."""
    log, good = Log(settings), GOOD[name.split("_")[0]]
    for _ in range(4):
        assert log.write(WRONG[name].format(ip="192.0.2.7"), 1000.0) == []
        assert log.write(WRONG[name].format(ip="192.0.2.8"), 1000.0) == []
    assert log.write(good.format(ip="192.0.2.7"), 1000.0) == []
    assert log.write(WRONG[name].format(ip="192.0.2.7"), 1000.0) == []
    assert log.write(WRONG[name].format(ip="192.0.2.8"), 1000.0) == [name]


def test_a_login_at_luci_forgives_nothing(settings: Settings) -> None:
    """Whoever guesses could have uhttpd write one, before OpenWrt 24.10: line ends of a user's name come as they are."""
    log, good = Log(settings), GOOD["LuCI"].format(ip="192.0.2.7")
    messages = [WRONG["LuCI_WrongPass"].format(ip="192.0.2.7"), good] * 5
    assert [name for message in messages for name in log.write(message, 1000.0)] == ["LuCI_WrongPass"]


@pytest.mark.parametrize("program", ["uhttpd[7]", "dispatcher.uc", "uwsgi-luci"])
def test_whoever_serves_luci(settings: Settings, program: str) -> None:
    """As old releases of OpenWrt have it, as new ones since 24.10, and with nginx."""
    log, message = Log(settings), f"{program}: luci: failed login on / for root from 192.0.2.7"
    assert [name for _ in range(5) for name in log.write(message, 1000.0)] == ["LuCI_WrongPass"]


@pytest.mark.parametrize("name", WRONG)
def test_addresses_are_counted_apart(settings: Settings, name: str) -> None:
    log = Log(settings)
    assert [log.write(WRONG[name].format(ip=f"192.0.2.{n}"), 1000.0) for n in range(1, 20)] == [[]] * 19


@pytest.mark.parametrize("name", WRONG)
def test_nobody_forgives_himself(settings: Settings, name: str) -> None:
    """A user name that reads like a good login does not reset the counter."""
    for good in GOOD.values():
        line = good.format(ip="192.0.2.7")
        for user in (line, line.partition(": ")[2], f"{line} "):
            message = WRONG[name].format(ip="192.0.2.7")
            for word in ("1001", "root", "bob", "1@a"):
                message = message.replace(word, user, 1)
            log = Log(settings)
            assert log.write(message, 1000.0) + log.write(message, 1000.0) == []
            assert [log.write(message, 1000.0) for _ in range(3)][2] == [name], user


# Lines of other daemons, or of the same one, that end or begin with what their client chose to send.
BY_OTHERS = [
    "sshd[7]: Received disconnect from 192.0.2.7 port 22:11: {forged}",
    "sshd[7]: Invalid user {forged} from 192.0.2.7 port 22",
    "sshd[7]: Failed password for invalid user {forged} from 192.0.2.7 port 22 ssh2",
    "dnsmasq-dhcp[7]: DHCPACK(br-lan) 192.0.2.7 00:16:3e:11:22:33 {forged}",
    "dropbear[7]: Exit before auth from <192.0.2.7:56789>: (user '{forged}', 1 fails): {forged}",
    "uhttpd[7]: luci: failed login on / for {forged} from 192.0.2.7",
    "bob: {forged}",
]


@pytest.mark.parametrize("line", BY_OTHERS)
@pytest.mark.parametrize("name", WRONG)
def test_nobody_blocks_others(settings: Settings, name: str, line: str) -> None:
    """A failure that somebody makes up, in whatever daemon's line, is none of the address it names."""
    chunk = f"{HEADER}{line.format(forged=WRONG[name].format(ip='203.0.113.9'))}\n".encode()
    engine = Engine(settings)
    triggers = engine.feed(Chunk(SYSTEM_LOG, "log", "log", 0, len(chunk) * 5, chunk * 5), 1000.0)
    assert {trigger.fields["ip"] for trigger in triggers if trigger.rule in WRONG} <= {"192.0.2.7"}
