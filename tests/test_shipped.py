"""Where the files lie that come with the program: in this checkout, and in a package that is made of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from logtrigger import shipped

ROOT = Path(__file__).parents[1]


def test_in_a_checkout() -> None:
    assert shipped.path("etc/logtrigger/rules.d/sshd.conf") == ROOT / "etc/logtrigger/rules.d/sshd.conf"
    assert ROOT / "scripts/ipblock.sh" in shipped.files("scripts", ".sh")


def test_sorted_and_of_one_kind() -> None:
    names = [path.name for path in shipped.files(shipped.DATASETS)]
    assert names == sorted(names) == ["openvpn.conf", "sshd.conf", "syslog.conf"]


def test_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands beside the code goes first."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/a.conf").touch()
    monkeypatch.setattr(shipped, "_ROOTS", (tmp_path, ROOT))
    assert shipped.files("etc") == [tmp_path / "etc/a.conf"]


def test_what_there_is_not() -> None:
    assert shipped.path("etc/nothing") == ROOT / "etc/nothing"
    assert shipped.files("etc/nothing") == []


def test_the_package_takes_all_of_it_along() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    put = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {"etc", "scripts", "man"} <= put.keys()
    assert put == {name: f"logtrigger/share/{name}" for name in put}
