"""Who logs in to the VPN, and from where: from OpenVPN's line over a real syslog daemon to what the configuration says."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import geodata
from tests.actions.senders.conftest import WebServer, _serve
from tests.live import Live, live
from tests.ports import free_port

pytestmark = [pytest.mark.package("geoip2"), pytest.mark.timeout(180)]

RULES = Path(__file__).parents[2] / "etc/logtrigger/rules.d"
HOME, ABROAD, UNKNOWN = "192.0.2.7", "198.51.100.7", "203.0.113.7"
GERMANY = {"country": {"iso_code": "DE", "names": {"en": "Germany"}}}
NETWORKS: Mapping[str, Any] = {"192.0.2.0/24": geodata.FINLAND, "2001:db8::/32": geodata.FINLAND, "198.51.100.0/24": GERMANY}

CONFIGURATION = """\
config override
	list rule '{prefix}_*'
	option {source}

config override
	list rule '{prefix}_Login_Home'
	list action 'note'

config override
	list rule '{prefix}_Login_Abroad'
	list action 'alert'

config override
	list rule '{prefix}_Login_Unknown'
	list action 'doubt'

config override
	list rule '{prefix}_Login_Travel'
	option script '{folder}/travel.sh'

config override
	list rule '{prefix}_BruteForce*'
	option ban '1h'

config action 'note'
	option type 'log'
	option path '{folder}/home.log'
	option text '{{user}} at home in {{ip_city}}, {{ip_country}} ({{ip_home}})'

config action 'alert'
	option type 'webhook'
	option url '{url}'
	option body '{{{{"event": "{{user}} from {{ip}} in {{ip_country_name}}", "severity": "critical", "home": "{{ip_home}}"}}}}'

config action 'doubt'
	option type 'log'
	option path '{folder}/unknown.log'
	option text '{{user}} from {{ip}} ({{ip_country}}{{ip_home}})'

config firewall
	option backend 'script'
	option ban '{folder}/ban.sh {{ip}} {{seconds}}'
	option unban 'true'

"""
# A pfSense leaves its name out.
NAMELESS = 'template(name="nameless" type="string" string="<%PRI%>%TIMESTAMP% %syslogtag%%msg%")\n'
RSYSLOG = """\
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{folder}/in")
global(workDirectory="{folder}")
{nameless}*.* action({action})
"""

Say = Callable[[str], None]


class Vpn:
    """A logtrigger that hears of a VPN server."""

    def __init__(self, one: Live, web: WebServer, say: Say) -> None:
        self.live, self._web, self._say = one, web, say
        self._port = 20_000

    def logs_in(self, user: str, address: str) -> None:
        self._port += 1
        client = address if ":" in address else f"{address}:{self._port}"
        family = "[AF_INET6]" if ":" in address else "[AF_INET]"
        self._say(f"{client} [{user}] Peer Connection Initiated with {family}{address}:{self._port}")

    def fails(self, address: str) -> None:
        self._port += 1
        self._say(f"{address}:{self._port} TLS Auth Error: Auth Username/Password verification failed for peer")

    def written(self, name: str) -> list[str]:
        path = self.live.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def wait_written(self, name: str, *lines: str) -> None:
        """What is in a file at last, in any order, and nothing else."""
        self.live.until(lambda: len(self.written(name)) >= len(lines), f"{name}: {lines}")
        assert sorted(self.written(name)) == sorted(lines)

    def alerts(self) -> list[dict[str, str]]:
        return [json.loads(body) for body in self._web.bodies]


def configure(one: Live, web: WebServer, prefix: str, rules: str, source: str, before: str = "") -> None:
    one.script("travel.sh", f'echo "$LT_user $LT_count now $LT_ip_country" >>{one.folder}/travel')
    one.script("ban.sh", f'echo "$1 $2" >>{one.folder}/banned')
    geodata.write(one.folder / "places.mmdb", NETWORKS, "GeoLite2-Country")
    text = CONFIGURATION.format(prefix=prefix, source=source, folder=one.folder, url=web.url)
    places = {"geoip": one.folder / "places.mmdb", "home_country": "FI SE", "include": RULES / rules}
    one.configure(text, before, **places)


@contextmanager
def forwarding(folder: Path, action: str) -> Iterator[Say]:
    """What passes a message on as OpenVPN's, through a syslog daemon with this action."""
    configuration = folder / "rsyslog.conf"
    configuration.write_text(RSYSLOG.format(folder=folder, nameless=NAMELESS, action=action))
    command = ["rsyslogd", "-n", "-f", str(configuration), "-i", str(folder / "rsyslog.pid")]
    with (folder / "rsyslog.said").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)

    def say(text: str) -> None:
        sending = ["logger", "-u", str(folder / "in"), "-t", "openvpn", "--id=9739", "-p", "daemon.notice", text]
        subprocess.run(sending, check=True)

    try:
        yield say
        assert process.poll() is None, (folder / "rsyslog.said").read_text()
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def web() -> Iterator[WebServer]:
    yield from _serve(None)


@pytest.fixture(params=["udp", "tcp", "file"])
def vpn(request: pytest.FixtureRequest, tmp_path: Path, web: WebServer) -> Iterator[Vpn]:
    """The VPN server's messages come by UDP without its name, by TCP with it, or by way of a file."""
    with live(tmp_path) as one:
        port = free_port()
        target = f'type="omfwd" target="127.0.0.1" port="{port}"'
        actions = {
            "udp": f'{target} protocol="udp" template="nameless"',
            "tcp": f'{target} protocol="tcp" template="RSYSLOG_ForwardFormat"',
            "file": f'type="omfile" file="{one.log}" template="RSYSLOG_TraditionalFileFormat"',
        }
        if request.param == "file":
            configure(one, web, "OpenVPN", "openvpn.conf", f"file '{one.log}'")
        else:
            section = f"config source 'gate'\n\tlist listen '{request.param}:127.0.0.1:{port}'\n\tlist allow '127.0.0.1'\n"
            configure(one, web, "OpenVPN", "openvpn.conf", "source 'gate'", section)
        with one.running(), forwarding(tmp_path, actions[request.param]) as say:
            one.until(lambda: (tmp_path / "in").exists(), "the syslog daemon listens")
            yield Vpn(one, web, say)


@pytest.fixture
def own_log(tmp_path: Path, web: WebServer) -> Iterator[Vpn]:
    """The VPN server writes a file of its own, in its own form."""
    with live(tmp_path) as one:
        configure(one, web, "OpenVPNLog", "openvpn-log.conf", f"file '{one.log}'")
        with one.running():
            yield Vpn(one, web, lambda text: one.write(f"2023-10-31 15:09:59 {text}"))


def watch(vpn: Vpn) -> None:
    """Each kind of login, and failures, lead to what is configured for them and to nothing else."""
    vpn.logs_in("name.surname", HOME)
    vpn.logs_in("bob", ABROAD)
    vpn.logs_in("eve", UNKNOWN)
    vpn.logs_in("ann", "10.8.0.3")
    vpn.logs_in("six", "2001:db8::7")
    vpn.wait_written("home.log", "name.surname at home in Helsinki, FI (1)", "six at home in Helsinki, FI (1)")
    vpn.wait_written("unknown.log", f"eve from {UNKNOWN} ()", "ann from 10.8.0.3 ()")
    vpn.live.until(vpn.alerts, "an alert")
    assert vpn.alerts() == [{"event": f"bob from {ABROAD} in Germany", "severity": "critical", "home": "0"}]

    assert vpn.written("travel") == []
    vpn.logs_in("bob", UNKNOWN)  # which is no other country
    vpn.logs_in("bob", HOME)
    vpn.wait_written("travel", "bob 2 now FI")

    for _ in range(4):
        vpn.fails(ABROAD)
    for _ in range(5):
        vpn.fails(UNKNOWN)
    vpn.wait_written("banned", f"{UNKNOWN} 3600")
    vpn.fails(ABROAD)
    vpn.wait_written("banned", f"{UNKNOWN} 3600", f"{ABROAD} 3600")
    assert len(vpn.alerts()) == 1 and "does nothing" not in vpn.live.output


@pytest.mark.tool("rsyslogd", "logger")
def test_where_users_are(vpn: Vpn) -> None:
    watch(vpn)


def test_where_users_are_in_a_log_of_its_own(own_log: Vpn) -> None:
    watch(own_log)


def test_database_is_replaced_under_the_daemon(own_log: Vpn) -> None:
    """A new one counts within seconds; a broken one is told of, and the old one stays; and so on with the next good one."""
    vpn, database = own_log, own_log.live.folder / "places.mmdb"

    def logs_in_until(condition: Callable[[], object], what: str) -> None:
        def happened() -> object:
            vpn.logs_in("bob", UNKNOWN)
            time.sleep(0.1)  # between one login and the next, as long as they lead to nothing
            return condition()

        vpn.live.until(happened, what)

    vpn.logs_in("bob", UNKNOWN)
    vpn.wait_written("unknown.log", f"bob from {UNKNOWN} ()")
    geodata.write(database, {**NETWORKS, "203.0.113.0/24": geodata.SWEDEN}, "GeoLite2-Country")
    logs_in_until(lambda: "bob at home in , SE (1)" in vpn.written("home.log"), "the new database counts")
    assert f"{database}: read anew" in vpn.live.output

    good = database.read_bytes()
    database.write_bytes(good[: len(good) // 2])
    logs_in_until(lambda: "the one read before stays in use" in vpn.live.newest, "the broken one is told of")
    doubts, before = vpn.written("unknown.log"), len(vpn.written("home.log"))
    logs_in_until(lambda: len(vpn.written("home.log")) > before, "the old one is in use")
    assert vpn.written("unknown.log") == doubts
    assert vpn.live.newest.count("the one read before stays in use") == 1

    geodata.write(database, {"203.0.113.0/24": GERMANY}, "GeoLite2-Country")
    logs_in_until(vpn.alerts, "the next one counts")
    assert vpn.live.newest.count("read anew") == 2


def test_database_is_broken_at_the_start(tmp_path: Path, web: WebServer) -> None:
    """The daemon works without it, says so, and takes it up as soon as it is whole."""
    with live(tmp_path) as one:
        configure(one, web, "OpenVPNLog", "openvpn-log.conf", f"file '{one.log}'")
        database = one.folder / "places.mmdb"
        whole = database.read_bytes()
        database.write_bytes(whole[:90] + b"\xff" * 200 + whole[290:])
        with one.running():
            vpn = Vpn(one, web, lambda text: one.write(f"2023-10-31 15:09:59 {text}"))
            assert f"{database} is damaged" in one.output and "addresses have no place until it can be read" in one.output
            vpn.logs_in("bob", HOME)
            vpn.wait_written("unknown.log", f"bob from {HOME} ()")
            database.write_bytes(whole)

            def at_home() -> object:
                vpn.logs_in("bob", HOME)
                time.sleep(0.1)  # as above
                return vpn.written("home.log")

            one.until(at_home, "the whole database counts")
            assert vpn.written("home.log")[0] == "bob at home in Helsinki, FI (1)"
