"""`list use`: a service's rules by its name, a local file before the one that comes with the program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger import config, shipped
from logtrigger.config import library

Write = Callable[[str, str], Path]
Complaints = Callable[[str], list[str]]

RULE = "config rule\n option name '{}'\n option pattern '{}'\n option script '/bin/true'\n"


@pytest.fixture(autouse=True)
def folders(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library of two services, one of them with a local file, and one that is local only."""
    for folder in ("share", "local"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(shipped, "RULES", "rules.d")
    monkeypatch.setattr(shipped, "_ROOTS", (tmp_path / "share",))
    monkeypatch.setattr(library, "LOCAL", tmp_path / "local")
    (tmp_path / "share/rules.d").mkdir()
    file(tmp_path / "share/rules.d/doors.conf", "# doors: who rings\n" + RULE.format("doors_ring", "ring"))
    file(tmp_path / "share/rules.d/bells.conf", "# bells: when they toll\n" + RULE.format("bells_toll", "toll"))
    file(tmp_path / "local/bells.conf", "# bells: my own\n" + RULE.format("bells_mine", "mine"))


def file(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def rules(write: Write, text: str) -> list[str]:
    settings, warnings = config.load(write("main", text))
    assert warnings == ()
    return [rule.name for rule in settings.rules]


def test_by_name(write: Write) -> None:
    assert rules(write, "config logtrigger\n list use doors\n" + RULE.format("own", "own")) == ["doors_ring", "own"]


def test_local_goes_first(write: Write) -> None:
    assert rules(write, "config logtrigger\n list use 'doors bells'\n") == ["doors_ring", "bells_mine"]


def test_twice_is_once(write: Write) -> None:
    text = "config logtrigger\n list use 'doors doors'\n list use doors\n list include 'share/rules.d/*.conf'\n"
    assert rules(write, text) == ["doors_ring", "bells_toll"]


def test_overrides_reach_its_rules(write: Write) -> None:
    text = "config logtrigger\n list use doors\nconfig override\n option rule 'doors_*'\n option maxfail 7\n"
    assert [rule.maxfail for rule in config.load(write("main", text))[0].rules] == [7]


def test_an_included_file_may_use(write: Write) -> None:
    write("more", "config logtrigger\n list use doors\n")
    assert rules(write, "config logtrigger\n list include more\n") == ["doors_ring"]


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("door", "did you mean 'doors'? there are bells and doors"),
        ("nothing", "there are bells and doors"),
        ("doors.conf", "write the name alone, such as sshd; a file of your own is named by list include"),
        ("../local/bells", "write the name alone, such as sshd; a file of your own is named by list include"),
    ],
)
def test_unknown_name(complaints: Complaints, name: str, way_out: str) -> None:
    said = complaints(f"config logtrigger\n list use '{name}'\n")
    assert said == [f"rules.conf:2: error: the library has no rules for '{name}' ({way_out})"]


def test_files_that_others_may_write(complaints: Complaints, tmp_path: Path) -> None:
    """Wherever a file of rules lies, it is trusted no more than an include."""
    (tmp_path / "local/bells.conf").chmod(0o602)
    (tmp_path / "share/rules.d/doors.conf").chmod(0o620)
    said = complaints("config logtrigger\n list use 'bells doors'\n")
    assert [one.partition(" can be ")[0].rpartition("/")[2] for one in said] == ["bells.conf", "doors.conf"]


def test_a_local_file_that_cannot_be_read_is_not_passed_over(complaints: Complaints, tmp_path: Path) -> None:
    (tmp_path / "local/doors.conf").symlink_to("nowhere")
    (said,) = complaints("config logtrigger\n list use doors\n")
    assert "local/doors.conf cannot be included: No such file or directory" in said


def test_services(tmp_path: Path) -> None:
    ours, local = tmp_path / "share/rules.d", tmp_path / "local"
    bells, doors = library.services()
    assert (bells.path, bells.hides, bells.watches(), bells.rules()) == (
        local / "bells.conf",
        ours / "bells.conf",
        "my own",
        ["bells_mine"],
    )
    assert (doors.path, doors.hides, doors.watches()) == (ours / "doors.conf", None, "who rings")


def test_a_head_of_another_form(tmp_path: Path) -> None:
    file(tmp_path / "local/bells.conf", "# My rules: for bells\n")
    assert next(library.services()).watches() == ""
