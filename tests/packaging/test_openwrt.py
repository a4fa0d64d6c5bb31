"""The package for OpenWrt, as far as it can be tried without OpenWrt: what Python it needs, what it puts where, its scripts."""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live import BOUND
from tests.packaging.conftest import build
from tests.packaging.machine import ROOT
from tests.packaging.router import OF_MODULE, PACKAGES

pytestmark = pytest.mark.timeout(300)  # the first one that needs a package builds it

MAKEFILE = ROOT / "packaging/openwrt/logtrigger/Makefile"
TEXT = MAKEFILE.read_text()
ROUTER = Path(__file__).with_name("router.py")

# What is only imported where somebody asks for it, and can be installed then.
OPTIONAL = {
    "python3-openssl": "TLS: receiving by it, https, mail to a server that wants it",
    "python3-logging": "for apprise (type notify), which is no part of the package",
}


def depends() -> set[str]:
    found = re.search(r"^  DEPENDS:=(.*)$", TEXT, re.MULTILINE)
    assert found is not None
    return {name.removeprefix("+") for name in found[1].split()}


def imports() -> Iterator[tuple[str, str]]:
    """Each module that ours import, with who does."""
    for path in sorted((ROOT / "logtrigger").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((alias.name.partition(".")[0], path.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0], path.name


def test_every_import_is_covered() -> None:
    packages = {**OF_MODULE, "ssl": "python3-openssl"}  # that one's Python is in python3-light, and useless by itself
    missing = {(packages[name], who) for name, who in imports() if name in packages}
    assert {(package, who) for package, who in missing if package not in depends() | OPTIONAL.keys()} == set()


def test_nothing_is_named_that_there_is_not() -> None:
    assert depends() <= {"python3-light", *PACKAGES} and OPTIONAL.keys() <= PACKAGES.keys()


@pytest.fixture(scope="session")
def tree(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands in /usr/lib/logtrigger."""
    folder = tmp_path_factory.mktemp("tree")
    build("packaging/tree.sh", folder, wheel)
    return folder


@pytest.fixture
def logtrigger(tree: Path) -> list[str]:
    """The program, under a Python that has what DEPENDS names."""
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    return [python, "-I", "-S", str(ROUTER), str(tree), ",".join(depends())]


@pytest.mark.package("build")
def test_the_daemon_runs_on_it(logtrigger: list[str], tmp_path: Path) -> None:
    """With files, a script, bans, a program to read and an address to listen at; and so do the commands."""
    log, ran, rules = tmp_path / "log", tmp_path / "ran", tmp_path / "rules"
    log.touch()
    script = tmp_path / "note.sh"
    script.write_text(f"#!/bin/sh\necho $LT_ip >>{ran}\n")
    script.chmod(0o700)
    rules.write_text(
        f"config logtrigger\n\toption state '{tmp_path}/state.db'\nconfig firewall\n\toption backend 'null'\n"
        f"config source 's'\n\tlist listen 'unix:{tmp_path}/socket'\nconfig source 'p'\n\toption command '/bin/cat'\n"
        f"config rule\n\toption name 'Hit'\n\toption file '{log}'\n\toption pattern 'hit %s'\n\toption fields 'ip'\n"
        f"\toption script '{script}'\n\toption ban '1h'\n"
        + "".join(
            f"config rule\n\toption name '{source}'\n\toption source '{source}'\n\toption pattern 'x %s'\n"
            "\toption fields 'ip'\n\toption ban '1h'\n"
            for source in "sp"
        )
    )
    rules.chmod(0o600)
    with (tmp_path / "said").open("wb") as said:
        daemon = subprocess.Popen([*logtrigger, "-c", rules, "-D", "2"], stderr=said)
    try:
        until(lambda: " ready\n" in (tmp_path / "said").read_text(), tmp_path, daemon)
        with log.open("a") as file:
            file.write("hit 192.0.2.7\n")
        until(lambda: ran.exists() and ran.read_text() == "192.0.2.7\n", tmp_path, daemon)
        for words in (
            ["status"],
            ["bans"],
            ["why", "192.0.2.7"],
            ["rules", "Hit"],
            ["unban", "192.0.2.7"],
            ["reload"],
            ["check"],
        ):
            done = subprocess.run([*logtrigger, *words, "-c", rules], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(BOUND) == 0
    finally:
        daemon.kill()
        daemon.wait()
    assert "No module named" not in (tmp_path / "said").read_text()


def until(condition: Callable[[], bool], folder: Path, daemon: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end and daemon.poll() is None, (folder / "said").read_text()
        time.sleep(0.02)


@pytest.mark.package("build")
def test_the_stand_in_lacks_what_it_should(tree: Path) -> None:
    """Else the test above could not fail."""
    done = subprocess.run(
        [sys.executable, "-I", ROUTER, tree, "python3-light", "check"], capture_output=True, text=True, check=False
    )
    assert "No module named" in done.stderr and "(python3-" in done.stderr


@pytest.mark.package("build")
def test_it_matches_and_sets_up(logtrigger: list[str], tmp_path: Path) -> None:
    done = subprocess.run([*logtrigger, "match", "a %s", "-"], input="a b\n", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([*logtrigger, "setup", "--root", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# What OpenWrt's build system would do, as far as this Makefile asks for it.
FRAME = """
INCLUDE_DIR:={folder}
PKG_BUILD_DIR:={folder}/build
INSTALL_DIR:=install -d -m 755
INSTALL_BIN:=install -m 755
INSTALL_CONF:=install -m 600
INSTALL_DATA:=install -m 644
CP:=cp -fpR
"""
PACKAGE = """
define BuildPackage
all:
	$(call Build/Prepare)
	$(call Build/Compile)
	$(call Package/$(1)/install,$(STAGE))
	$$(file >$(STAGE)/conffiles,$$(call Package/$(1)/conffiles))
	$$(file >$(STAGE)/postinst,$$(call Package/$(1)/postinst))
	$$(file >$(STAGE)/prerm,$$(call Package/$(1)/prerm))
endef
"""


@pytest.mark.tool("make", "dash")
@pytest.mark.package("build")
def test_what_it_puts_where(tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    stage.mkdir()
    (tmp_path / "rules.mk").write_text(FRAME.format(folder=tmp_path))
    (tmp_path / "package.mk").write_text(PACKAGE)
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    env.pop("MAKEFLAGS", None)
    done = subprocess.run(
        ["make", "-f", MAKEFILE, f"TOPDIR={tmp_path}", f"STAGE={stage}"],
        cwd=MAKEFILE.parent,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    there = {str(path.relative_to(stage)) for path in stage.rglob("*") if path.is_file()}
    wanted = (
        "usr/bin/logtrigger etc/config/logtrigger etc/init.d/logtrigger etc/logtrigger/ipblock.sh etc/logtrigger/rules.d/README"
    )
    assert set(wanted.split()) <= there
    assert {"usr/share/logtrigger/firewall.include", "etc/uci-defaults/80-logtrigger"} <= there
    assert {"usr/lib/logtrigger/logtrigger/cli/run.py", "usr/lib/logtrigger/click/core.py"} <= there
    assert not [name for name in there if "/man/" in name or "systemd" in name or "__pycache__" in name]
    assert os.access(stage / "etc/init.d/logtrigger", os.X_OK) and os.access(stage / "etc/logtrigger/ipblock.sh", os.X_OK)
    assert (stage / "conffiles").read_text().split() == ["/etc/config/logtrigger", "/etc/logtrigger/"]
    for name in ("postinst", "prerm"):
        assert (stage / name).read_text().startswith("#!/bin/sh\n") and "${IPKG_INSTROOT}" in (stage / name).read_text()
        subprocess.run(["dash", "-n", stage / name], check=True)
    for upgrade, lifted in (("", ["logtrigger", "logtrigger_block"]), ("1", [])):
        assert prerm(stage / "prerm", tmp_path / f"bin{upgrade}", upgrade) == [f"delete table inet {name}" for name in lifted]


def prerm(script: Path, folder: Path, upgrade: str) -> list[str]:
    """What it tells nft, with nothing else in reach."""
    folder.mkdir()
    for name in ("nft", "find", "uci"):
        (folder / name).write_text(f'#!/bin/sh\n[ {name} != nft ] || echo "$*" >>{folder}/told\n')
        (folder / name).chmod(0o755)
    subprocess.run(["/bin/sh", script], env={"PATH": str(folder), "PKG_UPGRADE": upgrade}, check=True, capture_output=True)
    told = folder / "told"
    return told.read_text().splitlines() if told.exists() else []


def test_the_firewall_s_include_is_the_shipped_one() -> None:
    """Once installed, fw4 runs it at each restart."""
    said = (MAKEFILE.parent / "files/firewall.defaults").read_text()
    path = re.search(r"firewall.logtrigger.path=(\S+)", said)
    assert path is not None and f"$(1){path[1]}\n" in TEXT
