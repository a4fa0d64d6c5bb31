"""examples/central-log-host: without a complaint, and each kind of message leads to what its comments say."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from logtrigger import config
from logtrigger.actions.configured import Configured
from logtrigger.actions.making import sender_of
from logtrigger.actions.senders.alerta import Alerta, document
from logtrigger.cli.check import check
from logtrigger.engine import Engine
from logtrigger.geoip import GeoIP
from logtrigger.model import Chunk, Trigger
from logtrigger.rule import Settings
from tests import geodata

pytestmark = pytest.mark.package("geoip2")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/central-log-host/logtrigger"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The example, with the rules of the checkout."""
    tmp_path.chmod(0o700)
    path = tmp_path / "logtrigger"
    database = geodata.write(tmp_path / "places.mmdb", {"1.2.3.0/24": geodata.FINLAND, "192.0.2.0/24": geodata.SWEDEN})
    path.write_text(EXAMPLE.read_text().replace("/usr/share/GeoIP/GeoLite2-Country.mmdb", str(database)))
    path.chmod(0o600)
    return path


@pytest.fixture
def settings(path: Path) -> Settings:
    return config.load(path)[0]


def test_check_says_nothing(path: Path) -> None:
    done = CliRunner().invoke(check, ["-c", str(path), "--strict"])
    assert done.exit_code == 0, done.output


def test_every_rule_does_something(settings: Settings) -> None:
    assert [rule.name for rule in settings.rules if not rule.actions] == []


def triggers(settings: Settings, source: str, *lines: str) -> list[Trigger]:
    engine = Engine(settings, look=GeoIP(settings.geoip, lambda level, text: None, settings.home).look)
    data = "".join(f"{line}\n" for line in lines).encode()
    (name,) = (one for one in engine.sources if one.endswith(source))
    return engine.feed(Chunk(name, "stream", "place", 0, len(data), data), 1_800_000_000.0)


def done(settings: Settings, trigger: Trigger) -> set[str]:
    """The actions that a trigger leads to."""
    configured = Configured.__new__(Configured)
    configured._options = {action.name: action for action in settings.actions}
    (rule,) = (rule for rule in settings.rules if rule.name == trigger.rule)
    return set(configured.names(trigger, rule))


SSH = "Jan  6 17:26:44 nas sshd[812]: "
SAID = [  # source, line, actions, severity in Alerta, event in Alerta
    (
        "servers",
        "Jan  6 17:26:44 nas sudo: pam_unix(sudo:auth): authentication failure; logname= uid=1 rhost=  user=bob",
        {"sudo_failure", "failures"},
        ("warning", "sudo authentication failure by bob in host nas"),
    ),
    (
        "servers",
        SSH + "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=bob",
        {"ssh_failure", "mail", "failures"},
        ("warning", "ssh login failure in nas from 192.0.2.7 by bob"),
    ),
    (
        "servers",
        SSH + "Failed password for invalid user eve from 192.0.2.7 port 50234 ssh2",
        {"ssh_invalid_user", "mail", "failures"},
        ("warning", "ssh login failure in nas with invalid user eve from 192.0.2.7"),
    ),
    (
        "servers",
        "Jan  6 17:26:44 nas login[812]: FAILED LOGIN (1) on '/dev/tty1' FOR 'root', Authentication failure",
        {"tty_failure", "failures"},
        ("warning", "TTY login failure"),
    ),
    (
        "servers",
        SSH + "pam_unix(sshd:session): session opened for user bob(uid=1000) by (uid=0)",
        {"session"},
        ("informational", "sshd session opened for user bob in host nas"),
    ),
    (
        "servers",
        SSH + "Accepted publickey for bob from 192.0.2.7 port 50234 ssh2: ED25519 SHA256:0a1b2c",
        {"ssh_login", "logins"},
        ("informational", "Accepted publickey for user bob in host nas from 192.0.2.7"),
    ),
    (
        "firewall",
        "<189>Jan  6 17:26:44 php-fpm[812]: /index.php: Successful login for user 'admin' from: 192.0.2.7 (Local Database)",
        {"pfsense_web_login", "mail", "logins"},
        ("warning", "Successful login in Pfsense Web UI for user admin from 192.0.2.7"),
    ),
    (
        "firewall",
        "<38>Jan  6 17:26:44 sshd[812]: Accepted keyboard-interactive/pam for admin from 192.0.2.7 port 50234 ssh2",
        {"pfsense_ssh_login", "logins"},
        ("warning", "Accepted keyboard-interactive/pam for user admin in Pfsense from 192.0.2.7"),
    ),
    (
        "firewall",
        "<35>Jan  6 17:26:44 sshd[812]: error: PAM: Authentication error for admin from 192.0.2.7",
        {"pfsense_ssh_failure", "failures"},
        ("warning", "Authentication error for user admin in Pfsense from 192.0.2.7"),
    ),
    (
        "firewall",
        '<36>Jan  6 17:26:44 sshguard[812]: Attack from "192.0.2.7" on service SSH with danger 10.',
        {"attack", "mail", "failures"},
        ("critical", "Pfsense - attack from 192.0.2.7 on service SSH"),
    ),
]


@pytest.mark.parametrize(("source", "line", "actions", "alert"), SAID, ids=[sorted(case[2])[-1] for case in SAID])
def test_message(settings: Settings, source: str, line: str, actions: set[str], alert: tuple[str, str]) -> None:
    (trigger,) = triggers(settings, source, line)
    assert done(settings, trigger) == actions
    assert told(settings, trigger) == [alert]


def told(settings: Settings, trigger: Trigger) -> list[tuple[str, str]]:
    """Severity and event of each alert."""
    senders = [sender_of(action) for action in settings.actions if action.name in done(settings, trigger)]
    documents = [document(sender._say, trigger) for sender in senders if isinstance(sender, Alerta)]
    return [(one["severity"], one["event"]) for one in documents]


def test_two_wrong_passwords_in_the_web(settings: Settings) -> None:
    line = "Jan  6 17:26:44 php-fpm[812]: /index.php: webConfigurator authentication error for user 'admin' from: 192.0.2.7"
    assert triggers(settings, "firewall", line) == []
    (trigger,) = triggers(settings, "firewall", line, line)
    assert done(settings, trigger) == {"pfsense_web_failure", "mail", "failures"}
    assert told(settings, trigger) == [("critical", "Failed login in Pfsense Web UI for user admin from 192.0.2.7")]


def vpn(address: str) -> str:
    port = f"{address}:24195"
    return f"<29>Jan  6 17:26:44 openvpn[14231]: {port} [user1] Peer Connection Initiated with [AF_INET]{port}"


SAYS = "OpenVPN connection for user user1 from IP"
VPN = [
    ("1.2.3.4", "Home", {"vpn_home"}, ("informational", f"{SAYS} 1.2.3.4 and country FI")),
    ("192.0.2.7", "Abroad", {"vpn_abroad", "mail"}, ("critical", f"{SAYS} 192.0.2.7 and country SE")),
    ("203.0.113.9", "Unknown", {"vpn_unknown"}, ("warning", f"{SAYS} 203.0.113.9, country unknown")),
]


@pytest.mark.parametrize(("address", "where", "actions", "alert"), VPN, ids=[case[1] for case in VPN])
def test_vpn(settings: Settings, address: str, where: str, actions: set[str], alert: tuple[str, str]) -> None:
    connected, login = triggers(settings, "firewall", vpn(address))
    assert (connected.rule, done(settings, connected)) == ("OpenVPN_Connected", {"vpn"})
    assert (login.rule, done(settings, login)) == (f"OpenVPN_Login_{where}", actions)
    assert told(settings, login) == [alert]


def test_vpn_users_who_travel_too_fast(settings: Settings) -> None:
    assert "OpenVPN_Login_Travel" not in [one.rule for one in triggers(settings, "firewall", vpn("1.2.3.4"), vpn("1.2.3.5"))]
    *_, travel = triggers(settings, "firewall", vpn("1.2.3.4"), vpn("192.0.2.7"))
    assert (travel.rule, done(settings, travel)) == ("OpenVPN_Login_Travel", {"vpn_travel", "mail"})
    assert told(settings, travel) == [("critical", "OpenVPN user user1 in 2 countries within two hours, now SE")]


@pytest.mark.parametrize(("interval", "actions"), [("hourly", {"backup"}), ("daily", set())])
def test_heartbeat(settings: Settings, interval: str, actions: set[str]) -> None:
    line = f"Jan  6 17:26:44 nas rsnapshot[812]: /usr/bin/rsnapshot -v {interval}: completed successfully"
    (trigger,) = triggers(settings, "servers", line)
    assert done(settings, trigger) == actions
    (backup,) = (sender_of(action) for action in settings.actions if action.name == "backup")
    assert isinstance(backup, Alerta)
    beat = document(backup._say, trigger)
    assert (beat["origin"], beat["timeout"], beat["attributes"]["severity"]) == ("nas_backup", 86_400, "critical")
