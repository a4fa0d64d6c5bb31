"""`init`: a configuration that `check` takes, whatever was found. On whole machines: tests/e2e/test_init.py."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from logtrigger.cli import init
from logtrigger.cli.commands import main
from logtrigger.findings import Findings, Found
from logtrigger.sources.machine import Choice

EVERYTHING = Findings(
    log=Choice("/var/log/syslog is open in a running process", files=("/var/log/syslog", "/var/log/auth.log")),
    against=(),
    firewall="iptables",
    why="nftables cannot be used: there is no nft",
    services=(Found("sudo-events", "sudo: who became what", True), Found("openvpn", "OpenVPN; only recognised", False)),
    session="192.0.2.7",
    networks=(("192.168.1.0/24", "eth0"), ("fd00::/64", "eth0")),
)
NOTHING = Findings(
    None, ("no journald is running", "/dev/log is there already"), "", "no firewall can be used here: no nft", (), "", ()
)


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(init, "gather", lambda machine: EVERYTHING)
    return tmp_path / "config/logtrigger"


@pytest.mark.parametrize("is_root", [True, False])
@pytest.mark.parametrize(
    "findings",
    [
        EVERYTHING,
        NOTHING,
        replace(EVERYTHING, services=(), log=Choice("journald is running", program="journalctl")),
        replace(NOTHING, session="2001:db8::7", services=EVERYTHING.services[1:]),
    ],
    ids=["everything", "nothing", "journal", "little"],
)
def test_check_takes_it(findings: Findings, is_root: bool, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path = tmp_path / "logtrigger"
    path.write_text(init.written(findings, is_root))
    path.chmod(0o600)
    done = run("-c", str(path), "check")
    assert (done.exit_code, ": error:" in done.output) == (0, False), done.output


@pytest.mark.parametrize("findings", [EVERYTHING, NOTHING], ids=["everything", "nothing"])
def test_what_is_commented_out_is_no_mistake(findings: Findings, tmp_path: Path) -> None:
    """Whoever takes the # away from an example gets a configuration that works."""
    tmp_path.chmod(0o700)
    lines = init.written(findings).replace("'sshd_*'", "'my_*'").split("\n")
    path = tmp_path / "logtrigger"
    path.write_text(
        "\n".join(line[1:] if line.startswith(("#\t", "#config")) else line for line in lines).replace("'sshd'", "'tty-events'")
    )
    path.chmod(0o600)
    done = run("-c", str(path), "check")
    assert ": error:" not in done.output.replace("list geoip", ""), path.read_text()


def test_what_it_says(path: Path) -> None:
    text = init.written(EVERYTHING)
    assert "\tlist use 'sudo-events'  # sudo: who became what\n" in text
    assert "\n#\tlist use 'openvpn'  # OpenVPN; only recognised\n" in text
    assert "\tlist ignore '192.0.2.7'\n" in text and "\n#\tlist ignore '192.168.1.0/24'  # at eth0\n" in text
    assert "Here it is iptables, as nftables cannot be used: there is no nft.\n" in text.replace("\n# ", " ")
    nothing = init.written(NOTHING).replace("\n# ", " ")
    assert "No system log was found here: no journald is running; /dev/log is there already." in nothing
    assert "\toption backend 'null'\n" in nothing
    assert "\toption backend 'auto'\n" in init.written(NOTHING, is_root=False)


def test_nobody_else_may_write_it(path: Path) -> None:
    done = run("-c", str(path), "init")
    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o644 and stat.S_IMODE(path.parent.stat().st_mode) & 0o022 == 0
    assert f"written     {path}\n" in done.stdout and f"next        logtrigger -c {path} check" in done.stdout
    assert path.read_text() == run("init", "--output", "-").stdout


@pytest.mark.parametrize("way", ["-c", "--output"])
def test_it_overwrites_nothing(way: str, path: Path) -> None:
    path.parent.mkdir()
    path.write_text("mine\n")
    done = run("-c", str(path), "init") if way == "-c" else run("init", "--output", str(path))
    assert (done.exit_code, done.stdout, path.read_text()) == (1, "", "mine\n")
    assert "is there already, and stays as it is (see what would be written with --output -)" in done.stderr


def test_the_shipped_one_makes_room(path: Path) -> None:
    """Setting the program up has put it there; once changed, it is somebody's."""
    path.parent.mkdir()
    shipped = Path(__file__).parents[2] / "etc/config/logtrigger"
    path.write_bytes(shipped.read_bytes() + b"\n")
    assert run("-c", str(path), "init").exit_code == 1
    path.write_bytes(shipped.read_bytes())
    assert run("-c", str(path), "init").exit_code == 0
    assert path.read_text() == init.written(EVERYTHING) and list(path.parent.iterdir()) == [path]


def test_a_link_that_leads_nowhere_is_something_too(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    assert run("-c", str(path), "init").exit_code == 1
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_where_it_cannot_be_written(path: Path) -> None:
    done = run("init", "--output", "/dev/full/logtrigger")
    assert done.exit_code == 2 and "cannot be written: File exists (write elsewhere with --output FILE)" in done.stderr


def test_this_machine() -> None:
    done = CliRunner().invoke(main, ["init", "--output", "-"])
    assert done.exit_code == 0 and "\nconfig logtrigger\n" in done.stdout


def test_a_router_is_told_how_to_keep_its_bans() -> None:
    kept = "#\toption state_copy '/etc/logtrigger/state.db'\n"
    assert kept in init.written(replace(EVERYTHING, forgets=True))
    assert "state_copy" not in init.written(EVERYTHING)


def test_what_a_killed_one_left_is_in_nobodys_way(path: Path) -> None:
    path.parent.mkdir()
    path.with_name(".logtrigger.init").write_text("half")
    assert run("init", "--output", str(path)).exit_code == 0
    assert [one.name for one in path.parent.iterdir()] == ["logtrigger"]
