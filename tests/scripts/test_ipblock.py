"""ipblock.sh: what it takes for an address, and what the firewall then holds."""

from __future__ import annotations

import ipaddress
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scripts.conftest import SCRIPTS, Run
from tests.scripts.netns import HOST, PATH, PEER, Namespace, answers, echoed, family_of, namespace, pair

ADDRESSES = [
    *("192.0.2.7", "255.255.255.255", "1.0.0.0", "10.0.0.1", "127.0.0.1"),
    *("256.1.1.1", "1.2.3", "1.2.3.4.5", "1.2.3.4.", ".1.2.3.4", "1..2.3", "01.2.3.4", "1.2.3.04", "0x1.2.3.4", "1.2.3.4 "),
    *(" 1.2.3.4", "1234", "1.2.3.1000", "-1.2.3.4", "+1.2.3.4", "1,2,3,4", "192.0.2.7:22", "[192.0.2.7]"),
    *("::1", "1::", "fe80::1", "2001:db8::7", "FD00::A", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8"),
    *(
        "1:2:3:4:5:6:1.2.3.4",
        "64:ff9b::1.2.3.4",
        "::1.2.3.4",
        "0:0:0:0:0:0:0:1",
        "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
    ),
    *(":", ":::", "1", "1:2", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2:3:4:5:6:7:8", "1::3::4", ":1::2", "1::2:", "12345::"),
    *("g::1", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "::1.2.3.4:5", "1.2.3.4::", "::256.1.1.1", "::01.2.3.4", "[::1]", "::1/128"),
]


def version(text: str) -> int | None:
    """What Python takes the text for: the plain version to compare with."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return address.version


@pytest.mark.parametrize("text", ADDRESSES)
def test_address(run: Run, fakes: Path, calls: Callable[[], list[str]], text: str) -> None:
    """What the script takes for an address is one, and the other way round; loopback is left alone."""
    family = None if text in ("127.0.0.1", "::1") else version(text)
    done = run("ipblock.sh", {"LT_ip": text}, f"{fakes}:{PATH}")
    sets = [found[1] for call in calls() if (found := re.search(r"<create element inet \S+ blocked(\d) \{ (\S+) \}>", call))]
    assert sets == ([str(family)] if family else [])
    assert done.returncode == (0 if family else 1)


def test_mapped_address_is_the_one_it_maps(run: Run, fakes: Path, calls: Callable[[], list[str]]) -> None:
    run("ipblock.sh", {"LT_ip": "::ffff:192.0.2.7"}, f"{fakes}:{PATH}")
    assert calls()[-1] == "nft <create element inet logtrigger_block blocked4 { 192.0.2.7 }>"


def test_ignored_address_is_left_alone(run: Run, fakes: Path, logs: Path, calls: Callable[[], list[str]]) -> None:
    done = run("ipblock.sh", {"LT_ip": "192.0.2.7", "LT_ignored": "1"}, f"{fakes}:{PATH}")
    assert (done.returncode, calls(), list(logs.iterdir())) == (0, [], [])
    assert done.stdout == "ipblock.sh: the address is on the ignore list: not blocked\n"


def test_iptables_serves_where_nft_fails(run: Run, fakes: Path, calls: Callable[[], list[str]]) -> None:
    fakes.with_name("nft.status").write_text("1")
    fakes.with_name("iptables.status").write_text("0")
    assert run("ipblock.sh", {"LT_ip": "192.0.2.7"}, f"{fakes}:{PATH}").returncode == 0
    assert {call.split()[0] for call in calls() if call[0] != " "} == {"nft", "iptables"}


def test_no_firewall_at_all_is_an_error(run: Run, fakes: Path) -> None:
    for name in ("nft", "ip6tables"):
        fakes.with_name(f"{name}.status").write_text("1")
    done = run("ipblock.sh", {"LT_ip": "fd00::7", "LT_message": "text"}, f"{fakes}:{PATH}")
    assert done.returncode == 1
    assert "neither nft nor iptables could block fd00::7" in done.stderr


def test_unwritable_log_is_told_but_blocks(run: Run, fakes: Path, calls: Callable[[], list[str]]) -> None:
    variables = {"LT_ip": "192.0.2.7", "LOGTRIGGER_LOGDIR": "/dev/null/folder"}
    done = run("ipblock.sh", variables, f"{fakes}:{PATH}")
    assert done.returncode == 1
    assert "the address is blocked, but nothing can be written" in done.stderr
    assert "192.0.2.7" in calls()[-1]


# What follows is real, each in a namespace of its own.


@dataclass(frozen=True)
class Firewall:
    """One way to block: the PATH on which only that one is found, and how to look at it."""

    tools: tuple[str, ...]

    @property
    def is_nft(self) -> bool:
        return "nft" in self.tools

    def tool(self, version: int) -> str:
        return self.tools[0] if self.is_nft else self.tools[version == 6]

    def blocked(self, where: Namespace, version: int) -> list[str]:
        """The addresses that are blocked, each as often as it is, sorted."""
        listing = where.run(*self._list(version))
        found = re.findall(r"[0-9a-f.:]*[.:][0-9a-f.:]+(?=/|,| |\n)", listing.partition("elements = ")[2] or listing)
        return sorted(found)

    def _list(self, version: int) -> list[str]:
        if self.is_nft:
            return ["nft", "list", "set", "inet", "logtrigger_block", f"blocked{version}"]
        return [self.tool(version), "-S", "LOGTRIGGER_BLOCK"]

    def rules(self, where: Namespace, version: int) -> str:
        """All that holds for a version, without counters and what is blocked."""
        if self.is_nft:
            listing = where.run("nft", "-s", "-t", "list", "ruleset")
        else:
            listing = re.sub(r"-A LOGTRIGGER_BLOCK .*\n", "", where.run(self.tool(version), "-S"))
        return listing


FIREWALLS = [
    pytest.param(Firewall(("nft",)), id="nft", marks=pytest.mark.tool("nft")),
    pytest.param(
        Firewall(("iptables-nft", "ip6tables-nft")),
        id="iptables",
        marks=pytest.mark.tool("iptables-nft", "ip6tables-nft"),
    ),
    pytest.param(
        Firewall(("iptables-legacy", "ip6tables-legacy")),
        id="iptables-legacy",
        marks=pytest.mark.tool("iptables-legacy", "ip6tables-legacy"),
    ),
]


@pytest.fixture(params=FIREWALLS)
def firewall(request: pytest.FixtureRequest) -> Firewall:
    found: Firewall = request.param
    return found


@pytest.fixture
def here() -> Iterator[Namespace]:
    with namespace() as made:
        yield made


@pytest.fixture
def only(firewall: Firewall, tmp_path: Path, shell: tuple[str, ...]) -> str:
    """A PATH on which the scripts find this firewall and no other."""
    folder = tmp_path / "only"
    folder.mkdir()
    for name in (shell[0], "tr", "date", "flock", "mkdir", *firewall.tools):
        (folder / name.partition("-")[0]).symlink_to(shutil.which(name, path=PATH) or name)
    return str(folder)


@pytest.fixture
def block(run: Run, only: str) -> Callable[..., None]:
    def block(where: Namespace, *addresses: str) -> None:
        for address in addresses:
            variables = {"LT_ip": address, "LT_name": "rule", "LT_message": f"from {address}"}
            done = run("ipblock.sh", variables, only, before=tuple(where.command()))
            assert (done.returncode, done.stderr) == (0, "")

    return block


@pytest.mark.root
@pytest.mark.tool("ip")
def test_twice_is_once(firewall: Firewall, here: Namespace, block: Callable[..., None], logs: Path) -> None:
    block(here, "192.0.2.7", "fd00::7")
    rules = [firewall.rules(here, version) for version in (4, 6)]
    block(here, "192.0.2.7", "fd00::7", "FD00:0::7", "192.0.2.8")
    assert [firewall.rules(here, version) for version in (4, 6)] == rules
    assert firewall.blocked(here, 4) == ["192.0.2.7", "192.0.2.8"]
    assert firewall.blocked(here, 6) == ["fd00::7"]
    assert [line[20:] for line in (logs / "blockedIPs.log").read_text().splitlines()] == [
        "192.0.2.7 rule",
        "fd00::7 rule",
        "192.0.2.8 rule",
    ]
    assert len((logs / "failed_logins.log").read_text().splitlines()) == 6


@pytest.mark.root
@pytest.mark.tool("ip")
def test_several_at_once(
    firewall: Firewall, here: Namespace, shell: tuple[str, ...], only: str, logs: Path, block: Callable[..., None]
) -> None:
    """Scripts that set everything up at once, two of them for one address, do what they would do one after another."""
    addresses = ["192.0.2.1", "192.0.2.1", *(f"192.0.2.{n}" for n in range(2, 8)), *(f"fd00::{n}" for n in range(1, 9))]
    command = here.command(*shell, str(SCRIPTS / "ipblock.sh"))
    env = {"PATH": only, "LOGTRIGGER_LOGDIR": str(logs)}
    running = [subprocess.Popen(command, env=env | {"LT_ip": one}, stdout=subprocess.DEVNULL) for one in addresses]
    assert [process.wait(50) for process in running] == [0] * len(addresses)
    assert firewall.blocked(here, 4) == [f"192.0.2.{n}" for n in range(1, 8)]
    assert firewall.blocked(here, 6) == [f"fd00::{n}" for n in range(1, 9)]
    assert len((logs / "blockedIPs.log").read_text().splitlines()) == len(set(addresses))
    with namespace() as other:
        block(other, "192.0.2.1", "fd00::1")
        assert [firewall.rules(here, v) for v in (4, 6)] == [firewall.rules(other, v) for v in (4, 6)]


@pytest.mark.root
@pytest.mark.tool("ip")
@pytest.mark.parametrize("version", [4, 6])
def test_blocked_gets_no_answer(firewall: Firewall, block: Callable[..., None], version: int) -> None:
    """Neither to a new connection nor on one that stands, whatever other rules accept first; others go on as before."""
    with pair() as (host, peer), host.socket(family_of(version)) as listener, peer.socket(family_of(version)) as client:
        if not firewall.is_nft:
            host.run(firewall.tool(version), *"-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT".split())
        listener.bind((HOST[version], 0))
        listener.listen()
        port = listener.getsockname()[1]
        client.connect((HOST[version], port))
        server, _ = listener.accept()
        with server:
            block(host, "203.0.113.1", "fd00:2::1")
            assert echoed(client, server), "who is not blocked is answered"
            block(host, PEER[version])
            assert not echoed(client, server, 0.3)
            assert not answers(peer, version, port, 0.3)
            assert answers(peer, 10 - version, 9), "the other version's address is another"


FLUSHES = {
    "nft": [
        "nft flush ruleset",
        "nft delete table inet logtrigger_block",
        "nft flush table inet logtrigger_block",
        "nft flush chain inet logtrigger_block input",
        "nft flush set inet logtrigger_block blocked4",
    ],
    "iptables": ["{tool} -F LOGTRIGGER_BLOCK", "{tool} -F INPUT", "{tool} -F"],
}


@pytest.mark.root
@pytest.mark.tool("ip")
def test_one_flush_unblocks_everybody(firewall: Firewall, block: Callable[..., None]) -> None:
    """And those it has unblocked stay so when the next one is blocked."""
    with pair() as (host, peer):
        for flush in FLUSHES["nft" if firewall.is_nft else "iptables"]:
            block(host, PEER[4], "203.0.113.1")
            assert not answers(peer, 4, 9, 0.2), flush
            host.run(*flush.format(tool=firewall.tool(4)).split())
            assert answers(peer, 4, 9), flush
            block(host, "203.0.113.2")
            assert firewall.blocked(host, 4) == ["203.0.113.2"], flush
            assert answers(peer, 4, 9), flush


@pytest.mark.root
@pytest.mark.tool("ip", "nft", "unshare")
def test_fw4_takes_the_table_along(shell: tuple[str, ...], here: Namespace, tmp_path: Path, logs: Path) -> None:
    """OpenWrt's firewall is given a file which, read when it restarts, removes our table and harms nothing without it."""
    fw4 = tmp_path / "fw4"
    fw4.write_text("#!/bin/sh\n")
    fw4.chmod(0o755)
    include = "/usr/share/nftables.d/ruleset-pre/logtrigger_block.nft"
    steps = f"""
        mount -t tmpfs none /usr/share && mkdir /usr/share/nftables.d &&
        {" ".join(shell)} {SCRIPTS}/ipblock.sh && nft list ruleset &&
        nft -f {include} && echo restarted && nft list ruleset && nft -f {include} && nft list ruleset && echo again
    """
    env = {"PATH": f"{tmp_path}:{PATH}", "LOGTRIGGER_LOGDIR": str(logs), "LT_ip": "192.0.2.7"}
    command = ["unshare", "--mount", "/bin/sh", "-c", steps]
    done = subprocess.run(here.command(*command), env=env, capture_output=True, text=True, check=True)
    before, after = done.stdout.split("restarted\n")
    assert "192.0.2.7" in before
    assert after == "again\n"


# Through the daemon

BANNED = '{"network":"192.0.2.7","since":1.5,"until":null,"rule":"","by":"root","times":1,"nth":1}\n{"end":"done"}\n'


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Path]:
    """A socket that is there; the fake tools do not use it."""
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        yield path


def answering(fakes: Path, name: str, answer: str, status: int = 0) -> None:
    """A fake tool that notes what it was given, and prints this."""
    (fakes / name).write_text(
        f"#!/bin/sh\necho {name} \"$@\" $(cat) >>{fakes}/../calls\nprintf '%s' '{answer}'\nexit {status}\n"
    )
    (fakes / name).chmod(0o755)


@pytest.mark.parametrize("tool", ["socat", "nc", "logtrigger"])
def test_daemon_is_asked_first(
    run: Run, fakes: Path, logs: Path, calls: Callable[[], list[str]], control: Path, tool: str
) -> None:
    for name in ("socat", "nc"):
        answering(fakes, name, "", 1)
    answering(fakes, tool, BANNED)
    variables = {"LT_ip": "192.0.2.7", "LOGTRIGGER_CONTROL": str(control), "LOGTRIGGER_BANTIME": "3600"}
    done = run("ipblock.sh", variables, f"{fakes}:{PATH}")
    assert (done.returncode, done.stdout) == (0, "ipblock.sh: blocked 192.0.2.7\n")
    asked = [call for call in calls() if call.startswith(tool)]
    if tool == "logtrigger":
        assert asked == [f"logtrigger ban --json --socket {control} 192.0.2.7 3600"]
    else:
        assert asked[0].endswith('{"version":1,"command":"ban","network":"192.0.2.7","seconds":3600}')
    assert not any(call.startswith("nft") for call in calls())
    assert "192.0.2.7" in (logs / "blockedIPs.log").read_text()


@pytest.mark.parametrize(
    "answer",
    [
        '{"end":"error","error":"64 connections are open already","remedy":"close some of them"}\n',
        '{"network":"192.0.2.7","times":1}\n{"end":"no","text":"the firewall does not block it yet"}\n',
        "",
    ],
)
def test_daemon_that_does_not_ban_is_done_without(
    run: Run, fakes: Path, calls: Callable[[], list[str]], control: Path, answer: str
) -> None:
    for name in ("socat", "nc"):
        answering(fakes, name, answer)
    answering(fakes, "logtrigger", "", 3)
    done = run("ipblock.sh", {"LT_ip": "192.0.2.7", "LOGTRIGGER_CONTROL": str(control)}, f"{fakes}:{PATH}")
    assert done.returncode == 0
    assert calls()[-1] == "nft <create element inet logtrigger_block blocked4 { 192.0.2.7 }>"


@pytest.mark.parametrize("why", ["is on the ignore list: take it from there first", "is a gateway of this machine"])
@pytest.mark.parametrize("tool", ["socat", "logtrigger"])
def test_whom_the_daemon_never_bans_is_not_blocked(
    run: Run, fakes: Path, calls: Callable[[], list[str]], control: Path, tool: str, why: str
) -> None:
    for name in ("socat", "nc"):
        answering(fakes, name, "")
    said = f"192.0.2.7 {why}\n"
    answering(fakes, tool, f'{{"end":"error","error":"{said}"}}\n' if tool == "socat" else said, 2)
    done = run("ipblock.sh", {"LT_ip": "192.0.2.7", "LOGTRIGGER_CONTROL": str(control)}, f"{fakes}:{PATH}")
    assert (done.returncode, done.stdout) == (0, "ipblock.sh: the daemon never bans 192.0.2.7: not blocked\n")
    assert not any(call.startswith(("nft", "iptables")) for call in calls())


@pytest.mark.parametrize("path", ["", "/nowhere", "/etc/passwd", "-f"])
def test_no_socket_no_question(run: Run, fakes: Path, calls: Callable[[], list[str]], path: str) -> None:
    answering(fakes, "socat", BANNED)
    assert run("ipblock.sh", {"LT_ip": "192.0.2.7", "LOGTRIGGER_CONTROL": path}, f"{fakes}:{PATH}").returncode == 0
    assert not any(call.startswith("socat") for call in calls())


def test_time_that_is_none(run: Run, fakes: Path, calls: Callable[[], list[str]], control: Path) -> None:
    variables = {"LT_ip": "192.0.2.7", "LOGTRIGGER_CONTROL": str(control), "LOGTRIGGER_BANTIME": "1h"}
    done = run("ipblock.sh", variables, f"{fakes}:{PATH}")
    assert (done.returncode, calls()) == (1, [])
    assert done.stderr == "ipblock.sh: LOGTRIGGER_BANTIME holds no number of seconds: nothing is blocked\n"
