"""Lines find their files, few of which are open; rotation and a full disk lose nothing that could be kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from logtrigger.logfiles import LogFiles, Template, writer
from logtrigger.model import Chunk

NOW = 1_795_255_200.0  # 2026-11-21 10:00 UTC


def chunk(*lines: bytes, peer: str = "192.0.2.1") -> Chunk:
    data = b"".join(line + b"\n" for line in lines)
    return Chunk("central", "udp", "s", 0, len(data), data, peer=peer)


def line(host: str, program: str, text: str = "x") -> bytes:
    return f"<38>Nov 21 10:00:00 {host} {program}[7]: {text}".encode()


class Reports(list[str]):
    def __call__(self, level: int, text: str) -> None:
        assert level == 0
        self.append(text)


@pytest.fixture
def reports() -> Reports:
    return Reports()


def make(folder: Path, template: str, reports: Reports, **options: int) -> LogFiles:
    return LogFiles(Template(f"{folder}/{template}"), reports, time.gmtime, **options)


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_file_for_each_host_and_program(tmp_path: Path, reports: Reports) -> None:
    files = make(tmp_path, "{host}-{program}.log", reports)
    files.write(chunk(line("a", "sshd"), line("b", "cron"), line("a", "sshd", "y"), b"hello"), NOW)
    files.close()
    assert contents(tmp_path) == {
        "a-sshd.log": "Nov 21 10:00:00 a sshd[7]: x\nNov 21 10:00:00 a sshd[7]: y\n",
        "b-cron.log": "Nov 21 10:00:00 b cron[7]: x\n",
        "192.0.2.1-unknown.log": "hello\n",
    }
    assert reports == []


def test_who_sent_a_line_counts_not_what_it_claims(tmp_path: Path, reports: Reports) -> None:
    files = make(tmp_path, "{peer}/{program}.log", reports)
    files.write(chunk(line("../../etc/cron.d/x", "../sshd"), peer="2001:db8::1"), NOW)
    files.write(chunk(line("b", "sshd"), peer=""), NOW)
    files.close()
    assert set(contents(tmp_path)) == {"2001:db8::1/_._sshd.log", "localhost/sshd.log"}


def test_hostile_host_stays_inside(tmp_path: Path, reports: Reports) -> None:
    inside = tmp_path / "in"
    files = make(inside, "{host}/{program}.log", reports)
    files.write(chunk(line("../../etc/cron.d/x", "sshd"), line("..", ".."), line("a" * 250, "p" * 128)), NOW)
    files.close()
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert len(contents(inside)) == 3


def test_dates_and_severities(tmp_path: Path, reports: Reports) -> None:
    files = make(tmp_path, "{year}-{month}-{day}/{facility}.{severity}.log", reports)
    files.write(chunk(line("a", "sshd")), NOW)
    files.write(chunk(line("a", "sshd"), b"<0>x", b"<999>x"), NOW + 86_400)
    files.close()
    assert set(contents(tmp_path)) == {
        "2026-11-21/auth.info.log",
        "2026-11-22/auth.info.log",
        "2026-11-22/kern.emerg.log",
        "2026-11-22/unknown.unknown.log",
    }


def test_few_files_are_open_and_few_hosts_known(tmp_path: Path, reports: Reports) -> None:
    files = make(tmp_path, "{host}.log", reports, most_open=3, most_known=10)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(50):
        files.write(chunk(line(f"h{number}", "p")), NOW)
        assert len(os.listdir("/proc/self/fd")) <= before + 3
    files.write(chunk(line("h0", "p", "again")), NOW)
    files.close()
    assert set(contents(tmp_path)) == {*(f"h{n}.log" for n in range(10)), "others.log"}
    assert contents(tmp_path)["others.log"].count("\n") == 40
    assert contents(tmp_path)["h0.log"].endswith("again\n")
    assert len(reports) == 1 and "10 hosts and programs" in reports[0]


def test_rotated_files_are_opened_anew(tmp_path: Path, reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "CHECK_EVERY", -1.0)
    files = make(tmp_path, "{host}.log", reports)
    files.write(chunk(line("a", "p", "one")), NOW)
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    files.write(chunk(line("a", "p", "two")), NOW)
    (tmp_path / "a.log").unlink()
    files.write(chunk(line("a", "p", "three")), NOW)
    files.close()
    assert {name: text.split()[-1] for name, text in contents(tmp_path).items()} == {"a.log.1": "one", "a.log": "three"}


@pytest.mark.parametrize("remove", [False, True], ids=["moved", "removed"])
def test_a_folder_that_is_gone_is_made_anew(
    tmp_path: Path, reports: Reports, monkeypatch: pytest.MonkeyPatch, remove: bool
) -> None:
    monkeypatch.setattr(writer, "CHECK_EVERY", -1.0)
    files = make(tmp_path / "in", "{host}.log", reports)
    files.write(chunk(line("a", "p", "one")), NOW)
    (tmp_path / "in").rename(tmp_path / "away")
    if remove:
        shutil.rmtree(tmp_path / "away")
    files.write(chunk(line("a", "p", "two"), line("b", "p", "two")), NOW)
    files.close()
    assert reports == []
    assert {name: text.split()[-1] for name, text in contents(tmp_path).items()} == {
        "in/a.log": "two",
        "in/b.log": "two",
        **({} if remove else {"away/a.log": "one"}),
    }


def test_reopen(tmp_path: Path, reports: Reports) -> None:
    files = make(tmp_path, "{host}.log", reports)
    files.write(chunk(line("a", "p")), NOW)
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    files.reopen()
    files.write(chunk(line("a", "p")), NOW)
    files.close()
    assert set(contents(tmp_path)) == {"a.log", "a.log.1"}


def test_a_link_in_the_way_is_reported_once(tmp_path: Path, reports: Reports) -> None:
    (tmp_path / "passwd").write_text("root\n")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.log").symlink_to(tmp_path / "passwd")
    files = make(tmp_path / "in", "{host}.log", reports)
    for _ in range(3):
        files.write(chunk(line("a", "p"), line("b", "p")), NOW)
    files.close()
    assert (tmp_path / "passwd").read_text() == "root\n"
    assert (tmp_path / "in/b.log").read_text().count("\n") == 3
    assert files.dropped == 3
    assert len(reports) == 1 and "a.log: cannot be written" in reports[0]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.root
@pytest.mark.tool("mount")
def test_full_disk_is_told_and_writing_goes_on_later(small_disk: Path, reports: Reports) -> None:
    """No line is cut in two by it: what was begun is completed, whatever came meanwhile is counted."""
    files = make(small_disk, "{host}.log", reports)
    (small_disk / "ballast").write_bytes(bytes(40_000))
    sent = 0
    while not reports:
        files.write(chunk(*(line("a", "p", f"{sent + i} {'x' * 50}") for i in range(7))), NOW)
        sent += 7
    files.write(chunk(line("a", "p", "lost")), NOW)
    sent += 1
    (small_disk / "ballast").unlink()
    files.write(chunk(line("a", "p", "last")), NOW)
    sent += 1
    files.close()
    found = (small_disk / "a.log").read_text().splitlines()
    assert len(found) == sent - files.dropped
    assert files.dropped > 0
    assert all(text.endswith("x" * 50) for text in found[:-1])
    assert found[-1].endswith(" last")
    assert "No space left" in reports[0]
    assert reports[1].endswith(f"written again; {files.dropped} lines could not be kept since the start")
    assert len(reports) == 2


@pytest.mark.root
@pytest.mark.tool("mount")
def test_deleted_files_make_room(small_disk: Path, reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of hosts that send nothing any more."""
    monkeypatch.setattr(writer, "CHECK_EVERY", 0.0)
    files = make(small_disk, "{host}.log", reports)
    while not reports:
        files.write(chunk(line("silent", "p", "x" * 1000)), NOW)
    (small_disk / "silent.log").unlink()
    files.write(chunk(line("other", "p")), NOW)
    files.write(chunk(line("other", "p", "kept")), NOW)
    files.close()
    assert contents(small_disk) == {"other.log": "Nov 21 10:00:00 other p[7]: kept\n"}
