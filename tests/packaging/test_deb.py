"""The Debian package on a fresh Debian with a systemd: it works, an upgrade keeps what was changed, a purge leaves nothing."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.packaging.machine import Machine

pytestmark = [
    pytest.mark.root,
    pytest.mark.package("build"),
    pytest.mark.tool("debootstrap", "dpkg-deb", "unshare", "nsenter"),
    pytest.mark.timeout(300),  # the first one builds the package and makes the Debian
]

WRONG = "Freeswitch: SIP registration failed User:1001 IP:192.0.2.7"  # five are too many, for the shipped rules
RULES = """
config logtrigger
    list ignore '127.0.0.0/8'
config rule
    option name 'Hit'
    option pattern 'hit %s'
    option fields 'ip'
    option program 'root'
"""


@pytest.fixture
def installed(machine: Machine, package: Path) -> Machine:
    machine.run(f"dpkg -i {machine.bring(package)}")
    machine.until("systemctl is-active logtrigger && echo up", "up")  # before a test writes lines for it
    return machine


def newer(package: Path, folder: Path) -> Path:
    """The package of a later version, with other defaults."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*", "Version: 99-1", control.read_text()))
    for name in ("config/logtrigger", "logtrigger/logit.sh"):
        with (tree / "etc" / name).open("a") as file:
            file.write("# of version 99\n")
    new = folder / "logtrigger_99-1_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, new], check=True, stdout=subprocess.DEVNULL)
    return new


def rules(machine: Machine, action: str, *, more: str = "") -> None:
    """Rules of our own, in force."""
    machine.put("/etc/config/logtrigger", f"{RULES}    {action}\n{more}")
    machine.run("systemctl reload logtrigger")


def test_installed_it_runs(installed: Machine) -> None:
    assert installed.says("systemctl is-active logtrigger; systemctl is-enabled logtrigger") == "active\nenabled"
    assert installed.says("systemctl show -P StatusText logtrigger").endswith(" rules, 0 bans")
    assert installed.says("logtrigger check").endswith(", no mistakes")
    assert "reads          system log: the journal" in installed.says("logtrigger status")
    assert " sshd " in f" {installed.says('logtrigger rules --library')} ".replace("\n", " ")
    assert installed.run("logtrigger setup", check=False).stderr.startswith("Error: nothing to do: the Debian package")
    assert installed.says("find /usr/lib/logtrigger -name '__init__.*.pyc' | head -1"), (
        "it is compiled, so that starts are quick"
    )


def test_five_wrong_passwords_block(installed: Machine) -> None:
    """As it comes: the shipped configuration and its script, in the closed service."""
    installed.run(f"for i in 1 2 3 4 5; do logger '{WRONG}'; done")
    installed.until("nft list set inet logtrigger_block blocked4", "192.0.2.7")
    installed.until("cat /var/log/failed_logins.log", WRONG)
    assert installed.says("stat -c %a /var/log/failed_logins.log") == "600"


@pytest.mark.parametrize(
    ("backend", "look", "seen"),
    [
        ("nftables", "nft list table inet logtrigger", "198.51.100.9"),
        ("iptables", "iptables -S LOGTRIGGER", "--match-set logtrigger4 src"),
        ("iptables", "iptables-legacy -S LOGTRIGGER", "--match-set logtrigger4 src"),
    ],
)
def test_bans(installed: Machine, backend: str, look: str, seen: str) -> None:
    """Both firewalls work in the closed service, and their bans are gone with the package."""
    if "legacy" in look:
        installed.run("for t in iptables ip6tables; do update-alternatives --set $t /usr/sbin/$t-legacy; done")
    rules(installed, "option ban '1h'", more=f"config firewall\n    option backend '{backend}'\n")
    installed.run("logger 'hit 198.51.100.9'")
    installed.until("logtrigger bans", "198.51.100.9")
    assert f"\nbans           1, by {backend}\n" in installed.says("logtrigger status")
    assert seen in installed.says(look)
    installed.run("dpkg -r logtrigger")
    assert installed.run(look, check=False).returncode != 0


def test_a_reload_with_a_mistake(installed: Machine) -> None:
    """Whoever reloads hears of it; the service works on."""
    installed.put("/etc/config/logtrigger", f"{RULES}    option bann '1h'\n")
    assert installed.run("systemctl reload logtrigger", check=False).returncode != 0
    assert installed.says("systemctl is-active logtrigger") == "active"
    installed.until("journalctl -u logtrigger", "unknown option 'bann' (did you mean 'ban'?)")
    rules(installed, "option ban '1h'")


def test_one_that_hangs_is_started_again(installed: Machine) -> None:
    installed.put("/etc/systemd/system/logtrigger.service.d/t.conf", "[Service]\nWatchdogSec=2s\nRestartSec=100ms\n")
    installed.run("systemctl daemon-reload; systemctl restart logtrigger")
    installed.run("kill -STOP $(systemctl show -P MainPID logtrigger)")
    installed.until("systemctl show -P NRestarts,ActiveState logtrigger", "1")
    installed.until("systemctl is-active logtrigger", "active")


SCRIPT = """#!/bin/sh
t() { name=$1; shift; if "$@" >/dev/null 2>&1; then echo "$name yes"; else echo "$name no"; fi; }
{
    t write_etc touch /etc/mine
    t write_log touch /var/log/mine
    t write_tmp touch /tmp/mine
    t write_state touch /var/lib/logtrigger/mine
    t read_shadow cat /etc/shadow
    t ping_socket python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'
    t module modprobe dummy
    t mount mount -t tmpfs tmpfs /mnt
    t other_user setpriv --reuid=1 --clear-groups true
    t sysctl sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
    t firewall nft add table inet mine
    t logger logger from a script
} >/var/log/tried.new
mv /var/log/tried.new /var/log/tried
"""
MAY = "write_log write_tmp write_state read_shadow ping_socket firewall logger"


def tried(machine: Machine) -> dict[str, bool]:
    machine.run("rm -f /var/log/tried; logger 'hit 198.51.100.9'")
    machine.until("ls /var/log", "tried\n")
    return {name: answer == "yes" for name, answer in map(str.split, machine.says("cat /var/log/tried").splitlines())}


def test_what_a_script_may_do(installed: Machine) -> None:
    """As docs/installing.md says; and that a drop-in allows more."""
    installed.put("/etc/logtrigger/try.sh", SCRIPT)
    rules(installed, "option script '/etc/logtrigger/try.sh'")
    assert {name for name, may in tried(installed).items() if may} == set(MAY.split())
    drop_in = "[Service]\nReadWritePaths=/etc\nCapabilityBoundingSet=CAP_SETUID CAP_SETGID\n"
    installed.put("/etc/systemd/system/logtrigger.service.d/scripts.conf", drop_in)
    installed.run("systemctl daemon-reload; systemctl restart logtrigger")
    assert {name for name, may in tried(installed).items() if may} == {*MAY.split(), "write_etc", "other_user"}


def test_an_upgrade_keeps_what_was_changed(installed: Machine, package: Path, tmp_path: Path) -> None:
    installed.run("echo '# mine' >>/etc/config/logtrigger")
    before = installed.says("systemctl show -P MainPID logtrigger")
    installed.run(f"dpkg --force-confold -i {installed.bring(newer(package, tmp_path))}")
    assert installed.says("tail -n 1 /etc/config/logtrigger") == "# mine"
    assert installed.says("tail -n 1 /etc/config/logtrigger.dpkg-dist") == "# of version 99"
    assert installed.says("tail -n 1 /etc/logtrigger/logit.sh") == "# of version 99", "nobody had changed that"
    assert installed.says("systemctl is-active logtrigger") == "active"
    assert installed.says("systemctl show -P MainPID logtrigger") != before, "the new version runs"


def test_an_upgrade_starts_nothing_that_was_stopped(installed: Machine, package: Path, tmp_path: Path) -> None:
    installed.run("systemctl disable --now logtrigger 2>&1")
    installed.run(f"dpkg -i {installed.bring(newer(package, tmp_path))}")
    assert installed.says("systemctl is-active logtrigger; systemctl is-enabled logtrigger || :") == "inactive\ndisabled"


def test_removed_and_installed_again_it_runs(installed: Machine) -> None:
    """And goes on with its configuration, state and bans."""
    installed.run("echo '# mine' >>/etc/config/logtrigger; logtrigger ban 198.51.100.9")
    installed.run("dpkg -r logtrigger; dpkg -i /root/logtrigger_*.deb")
    assert installed.says("systemctl is-active logtrigger; systemctl is-enabled logtrigger") == "active\nenabled"
    assert installed.says("tail -n 1 /etc/config/logtrigger") == "# mine"
    assert "198.51.100.9" in installed.says("logtrigger bans")
    assert "198.51.100.9" in installed.says("nft list table inet logtrigger")


def test_disabled_it_stays_so(installed: Machine) -> None:
    installed.run("systemctl disable --now logtrigger 2>&1; dpkg -r logtrigger; dpkg -i /root/logtrigger_*.deb")
    assert installed.says("systemctl is-active logtrigger; systemctl is-enabled logtrigger || :") == "inactive\ndisabled"


# What others keep of everything that is installed; what scripts, the journal and timers have written; what is in memory only.
OTHERS = "/proc /sys /dev /run /tmp /var/lib/dpkg /var/log /var/cache /root /var/lib/systemd/catalog /var/lib/systemd/timers"
OTHERS += " /etc/.updated /var/.updated"  # systemd-update-done(8) writes them at some time after the start


def files(machine: Machine) -> set[str]:
    prune = " -o ".join(f"-path {folder}" for folder in OTHERS.split())
    return set(machine.says(f"find / \\( {prune} \\) -prune -o -print").splitlines())


def test_a_purge_leaves_nothing(machine: Machine, package: Path) -> None:
    before = files(machine)
    machine.run(f"dpkg -i {machine.bring(package)}")
    machine.run("logtrigger ban 198.51.100.9; logtrigger check")
    assert len(files(machine) - before) > 100
    machine.run("dpkg -r logtrigger")
    assert {"/etc/config/logtrigger", "/var/lib/logtrigger/state.db"} <= files(machine), "removed is not purged"
    machine.run("dpkg -P logtrigger")
    assert files(machine) - before == set()
    assert machine.says("nft list tables") == ""
    assert "logtrigger" not in machine.says("systemctl list-units --all --plain --no-legend")


def test_without_a_systemd_that_runs(machine: Machine, package: Path) -> None:
    """In a chroot, or where an image is built."""
    place = machine.bring(package)
    machine.run("mount --bind / /mnt")
    done = machine.run(f"chroot /mnt sh -c 'dpkg -i {place} && logtrigger check && dpkg -P logtrigger'")
    assert "no mistakes" in done.stdout


def test_the_same_checkout_makes_the_same_package(package: Path, wheel: Path, tmp_path: Path) -> None:
    """So that anybody can see that it was made of this source."""
    from tests.packaging.conftest import build

    build("packaging/deb/build.sh", tmp_path, wheel)
    assert (tmp_path / package.name).read_bytes() == package.read_bytes()
