"""`logtrigger setup`: what it says, and what it will not do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from logtrigger import shipped
from logtrigger.cli.commands import main
from logtrigger.cli.setup import program


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["setup", *map(str, arguments)], prog_name="logtrigger")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "usr/lib/systemd/system").mkdir(parents=True)
    return tmp_path


def test_each_file_is_named_and_what_comes_next(root: Path) -> None:
    done = run("--root", root, "--prefix", "/usr")
    assert (done.exit_code, done.stderr) == (0, done.stderr)
    assert f"{root}/etc/config/logtrigger: installed\n" in done.stdout
    assert f"{root}/usr/share/man/man8/logtrigger.8: installed\n" in done.stdout
    assert "\n    systemctl enable logtrigger\n" in done.stdout
    shells = [
        "bash-completion/completions/logtrigger",
        "zsh/site-functions/_logtrigger",
        "fish/vendor_completions.d/logtrigger.fish",
    ]
    assert all("_LOGTRIGGER_COMPLETE" in (root / "usr/share" / path).read_text() for path in shells)
    assert (root / "etc/config/logtrigger").read_bytes() == shipped.path("etc/config/logtrigger").read_bytes()


def test_what_is_installed_can_be_run(root: Path) -> None:
    run("--root", root)
    rules = root / "etc/config/logtrigger"
    rules.write_text(rules.read_text().replace("'/etc/logtrigger/", f"'{root}/etc/logtrigger/"))
    done = subprocess.run(
        [sys.executable, "-m", "logtrigger", "check", "-c", rules], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "no mistakes" in done.stdout


def test_openwrt_is_told_of_its_own(root: Path) -> None:
    (root / "etc").mkdir()
    (root / "etc/openwrt_release").touch()
    done = run("--root", root)
    assert "\n    /etc/init.d/logtrigger enable\n" in done.stdout and "firewall.include" in done.stdout
    assert not list(root.rglob("_logtrigger"))


def test_removal_tells_what_is_left(root: Path) -> None:
    run("--root", root)
    (root / "etc/config/logtrigger").write_text("config rule\n")
    done = run("--root", root, "--remove")
    assert f"{root}/etc/config/logtrigger: kept, as it was changed\n" in done.stdout
    assert f"{root}/etc/logtrigger/logit.sh: removed\n" in done.stdout
    assert "left: the state in /var/lib/logtrigger" in done.stdout
    assert "systemctl disable --now logtrigger" in done.stdout
    assert "    logtrigger unban --all\n" in done.stdout, "who removes it shall know what still blocks"
    assert not (root / "etc/logtrigger").exists()


def test_where_nothing_can_be_written(root: Path) -> None:
    (root / "etc").write_text("no folder")
    done = run("--root", root)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.endswith("Not a directory\n"), done.stderr


def test_where_nothing_may_be_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "/etc/config")

    monkeypatch.setattr(Path, "mkdir", refuse)
    done = run("--root", root)
    assert done.stderr == "Error: /etc/config: Permission denied (run it as root, or with --root DIR)\n"


def test_a_package_has_done_it_all(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "packaged").write_text("the Debian package\n")
    monkeypatch.setattr(shipped, "_ROOTS", (tmp_path,))
    done = run("--root", root)
    assert (done.exit_code, done.stderr) == (1, "Error: nothing to do: the Debian package has put everything in its place\n")


def test_the_program_is_found_again(tmp_path: Path) -> None:
    archive = tmp_path / "logtrigger.pyz"
    archive.touch(0o644)
    assert program(str(archive)) == [sys.executable, "-I", str(archive)]
    archive.chmod(0o755)
    assert program(str(archive)) == [str(archive)]
    assert program("somewhere/logtrigger/__main__.py") == [sys.executable, "-P", "-m", "logtrigger"]


def test_a_program_in_a_fleeting_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service has a /tmp of its own."""
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    monkeypatch.setattr(sys, "argv", ["/tmp/logtrigger.pyz"])
    assert "will not find /tmp/logtrigger.pyz: move it" in run("--root", root).stderr
    monkeypatch.setattr(sys, "argv", ["/opt/logtrigger.pyz"])
    assert run("--root", root).stderr == ""
