"""What is put where; and that nothing is lost that somebody has written there."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from logtrigger import placing
from logtrigger.placing import Piece

COMMAND = ["/opt/logtrigger/bin/logtrigger"]
OLD, NEW = Piece("etc/a/b.sh", b"old\n", executable=True), Piece("etc/a/b.sh", b"new\n", executable=True)


def put(root: Path, *wanted: Piece, dry_run: bool = False) -> list[str]:
    """What is said of each."""
    return [done.what for done in placing.place(root, wanted, dry_run=dry_run)]


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def names(root: Path) -> set[str]:
    return {piece.target for piece in placing.pieces(root, "/usr/local", COMMAND)}


def test_a_first_time_and_a_second_one(tmp_path: Path) -> None:
    assert put(tmp_path, OLD) == ["installed"]
    assert (tmp_path / "etc/a/b.sh").read_bytes() == b"old\n"
    assert stat.S_IMODE((tmp_path / "etc/a/b.sh").stat().st_mode) == 0o755
    assert put(tmp_path, OLD) == ["is there already"]


def test_the_notes_are_those_of_sha256sum(tmp_path: Path) -> None:
    put(tmp_path, OLD)
    done = subprocess.run(["sha256sum", "-c", placing.NOTES], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("etc/a/b.sh: OK\n", "")


def test_a_new_version_of_what_nobody_changed(tmp_path: Path) -> None:
    put(tmp_path, OLD)
    (tmp_path / "etc/a/b.sh").chmod(0o700)
    assert put(tmp_path, NEW) == ["brought up to date"]
    assert (tmp_path / "etc/a/b.sh").read_bytes() == b"new\n"
    assert stat.S_IMODE((tmp_path / "etc/a/b.sh").stat().st_mode) == 0o700, "the mode is the owner's choice"


def test_what_was_changed_stays(tmp_path: Path) -> None:
    put(tmp_path, OLD)
    (tmp_path / "etc/a/b.sh").write_text("mine\n")
    for _ in range(2):
        assert put(tmp_path, NEW) == [f"kept, as it was changed; the new one is {tmp_path}/etc/a/b.sh.new"]
    assert (tmp_path / "etc/a/b.sh").read_bytes() == b"mine\n"
    assert (tmp_path / "etc/a/b.sh.new").read_bytes() == b"new\n"
    assert [done.what for done in placing.remove(tmp_path)] == ["kept, as it was changed", "removed"]
    assert not (tmp_path / "etc/a/b.sh.new").exists()


def test_what_was_there_before_us_stays(tmp_path: Path) -> None:
    (tmp_path / "etc/a").mkdir(parents=True)
    (tmp_path / "etc/a/b.sh").write_text("mine\n")
    assert put(tmp_path, OLD)[0].startswith("kept")
    assert (tmp_path / "etc/a/b.sh").read_bytes() == b"mine\n"


def test_a_link_stays_one(tmp_path: Path) -> None:
    """To a file that is kept under version control elsewhere, say."""
    put(tmp_path, OLD)
    (tmp_path / "etc/a/b.sh").rename(tmp_path / "elsewhere")
    (tmp_path / "etc/a/b.sh").symlink_to(tmp_path / "elsewhere")
    assert put(tmp_path, NEW)[0].startswith("kept")
    assert (tmp_path / "etc/a/b.sh").is_symlink() and (tmp_path / "elsewhere").read_bytes() == b"old\n"
    assert [done.what for done in placing.remove(tmp_path)] == ["kept, as it was changed", "removed"]


def test_a_link_that_leads_nowhere_stays(tmp_path: Path) -> None:
    """To a disk that is not mounted yet."""
    (tmp_path / "etc/a").mkdir(parents=True)
    (tmp_path / "etc/a/b.sh").symlink_to(tmp_path / "disk/b.sh")
    assert put(tmp_path, OLD) == [f"kept, as it was changed; the new one is {tmp_path}/etc/a/b.sh.new"]
    assert (tmp_path / "etc/a/b.sh").is_symlink() and not (tmp_path / "disk").exists()


def test_a_folder_in_a_files_place_stays(tmp_path: Path) -> None:
    (tmp_path / "etc/a/b.sh").mkdir(parents=True)
    assert put(tmp_path, OLD)[0].startswith("kept")
    assert (tmp_path / "etc/a/b.sh").is_dir() and (tmp_path / "etc/a/b.sh.new").read_bytes() == b"old\n"


def test_no_link_leads_out_of_the_root(tmp_path: Path) -> None:
    """The tree of another machine may have links that mean that one's root."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (tmp_path / "ours").mkdir()
    (root / "etc/a").symlink_to(tmp_path / "ours")
    with pytest.raises(OSError, match=f"leads to {tmp_path}/ours, out of {root}"):
        put(root, OLD)
    assert list((tmp_path / "ours").iterdir()) == []
    (root / "etc/a").unlink()
    (root / "etc/a").symlink_to("../other")
    (root / "other").mkdir()
    assert put(root, OLD) == ["installed"]


def test_what_was_removed_comes_back(tmp_path: Path) -> None:
    put(tmp_path, OLD)
    (tmp_path / "etc/a/b.sh").unlink()
    assert put(tmp_path, NEW) == ["installed"]


def test_a_new_one_lies_where_nobody_reads_it(tmp_path: Path) -> None:
    (tmp_path / "etc/logrotate.d").mkdir(parents=True)
    (tmp_path / "etc/logrotate.d/logtrigger").write_text("mine\n")
    for _ in placing.place(tmp_path, list(placing.pieces(tmp_path, "/usr/local", COMMAND))):
        pass
    assert [path.name for path in (tmp_path / "etc/logrotate.d").iterdir()] == ["logtrigger"]
    assert (tmp_path / "etc/logtrigger/logrotate.new").is_file()


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    assert put(tmp_path, OLD, dry_run=True) == ["installed"]
    assert tree(tmp_path) == {}
    put(tmp_path, OLD)
    before = tree(tmp_path)
    put(tmp_path, NEW, dry_run=True)
    assert [done.what for done in placing.remove(tmp_path, dry_run=True)] == ["removed"]
    assert tree(tmp_path) == before


def test_removal(tmp_path: Path) -> None:
    wanted = list(placing.pieces(tmp_path, "/usr/local", COMMAND))
    put(tmp_path, *wanted)
    (tmp_path / "etc/logtrigger/logit.sh").write_text("mine\n")
    said = {str(done.path.relative_to(tmp_path)): done.what for done in placing.remove(tmp_path)}
    assert said.pop("etc/logtrigger/logit.sh") == "kept, as it was changed"
    assert set(said.values()) == {"removed"} and len(said) == len(wanted) - 1
    assert tree(tmp_path) == {"etc/logtrigger/logit.sh": b"mine\n"}
    assert list(placing.remove(tmp_path)) == []


def test_a_failure_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, OLD)
    before = tree(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        put(tmp_path, NEW)
    assert tree(tmp_path) == before


def test_debian_and_openwrt(tmp_path: Path) -> None:
    """A bare system gets no service; systemd its unit; OpenWrt its init script, and no manual pages, as it has no man."""
    everywhere = {f"etc/logtrigger/{name}.sh" for name in ("ipblock", "logit", "sendmail", "alerta")}
    everywhere |= {"etc/config/logtrigger", "etc/logtrigger/rules.d/README"}
    pages = {"usr/local/share/man/man5/logtrigger.5", "usr/local/share/man/man8/logtrigger.8"}
    assert names(tmp_path) == everywhere | pages
    (tmp_path / "usr/lib/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/logrotate.d").mkdir(parents=True)
    assert names(tmp_path) == everywhere | pages | {"etc/systemd/system/logtrigger.service", "etc/logrotate.d/logtrigger"}
    (tmp_path / "etc/openwrt_release").touch()
    assert names(tmp_path) == everywhere | {"etc/init.d/logtrigger", "etc/logtrigger/firewall.include"}


def test_services_start_this_program(tmp_path: Path) -> None:
    (tmp_path / "usr/lib/systemd/system").mkdir(parents=True)
    put(tmp_path, *placing.pieces(tmp_path, "/usr/local", COMMAND))
    unit = (tmp_path / "etc/systemd/system/logtrigger.service").read_text().splitlines()
    assert "ExecStart=/opt/logtrigger/bin/logtrigger -D 1" in unit
    assert "ExecReload=/opt/logtrigger/bin/logtrigger reload" in unit
    (tmp_path / "etc/openwrt_release").touch()
    put(tmp_path, *placing.pieces(tmp_path, "/usr/local", ["/usr/bin/python3", "-I", "/opt/my logtrigger.pyz"]))
    script = (tmp_path / "etc/init.d/logtrigger").read_text()
    assert "procd_set_param command /usr/bin/python3 -I '/opt/my logtrigger.pyz' -c \"$CONF\" -D 1\n" in script
    assert "PROG" not in script
