"""Where a machine keeps its system log: a decision over what can be seen of the machine, without opening any log."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from logtrigger.errors import SourceError
from logtrigger.rule import SYSTEM_LOG
from logtrigger.sources.receiver.unix import is_left_behind

# In /var/log: Debian's names; Red Hat's, where messages has neither logins nor mail, and BusyBox's.
TOGETHER = (("syslog", "auth.log"), ("messages", "secure", "maillog"))
UNREADABLE = "we may not read it (run as root or in its group)"
_LISTENS = 0x10000  # linux/net.h, __SO_ACCEPTCON
INITS = frozenset(
    "systemd init procd runit runsvdir s6-svscan openrc-init openrc busybox dinit finit launchd upstart linuxrc".split()
)


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to look at; tests give folders of their own."""

    root: Path = Path("/")
    proc: Path = Path("/proc")
    path: str = os.defpath  # PATH in which logread and journalctl are looked for

    def file(self, name: str) -> Path:
        """The place of a file, by its path below the root."""
        return self.root / name

    def has_program(self, name: str) -> bool:
        """Whether there is a program of that name."""
        return shutil.which(name, path=self.path) is not None

    def boot_time(self) -> float | None:
        """Epoch seconds; None where the kernel does not tell."""
        try:
            lines = (self.proc / "stat").read_text().splitlines()
        except OSError:
            return None
        return next((float(line.split()[1]) for line in lines if line.startswith("btime ")), None)

    def first_process(self) -> str:
        """The name of process 1; "" where it is hidden."""
        try:
            return (self.proc / "1" / "comm").read_text().strip()
        except OSError:
            return ""

    def written_files(self) -> set[str]:
        """Every log file that a process has open for writing, as far as we may look."""
        return set(self.writers())

    def writers(self, folders: Collection[str] = ()) -> dict[str, str]:
        """By file the name of a process that has it open for writing: logs, and whatever is in these folders.

        As far as we may look. A file that was deleted has " (deleted)" behind its name.
        """
        found = dict[str, str]()
        for process in self._processes():
            for name in _open_for_writing(process, folders):
                found[name] = _name_of(process)
        return found

    def listening(self) -> list[str]:
        """The paths of Unix sockets that somebody listens on, in this network namespace; see unix(7), /proc/net/unix."""
        try:
            lines = (self.proc / "net/unix").read_text(errors="replace").splitlines()
        except OSError:
            return []
        rows = (line.split(maxsplit=7) for line in lines[1:])
        return [row[7] for row in rows if len(row) == 8 and int(row[3], 16) & _LISTENS]

    def sees_all(self) -> bool:
        """Whether we may look into every process."""
        return os.access(self.proc / "1" / "fd", os.R_OK)

    def _processes(self) -> Iterator[str]:
        try:
            names = os.listdir(self.proc)
        except OSError:
            return
        yield from (str(self.proc / name) for name in names if name.isdecimal())


@dataclass(frozen=True, slots=True)
class Choice:
    """Where the system log is to be read: from files, with a program, or from a socket of ours; just one is given."""

    reason: str
    files: tuple[str, ...] = ()
    program: str = ""  # logread or journalctl
    socket: str = ""
    since: float | None = None  # with journalctl: begin there, epoch seconds

    def __str__(self) -> str:
        programs = {"journalctl": "the journal", "logread": "the ring buffer of logread"}
        return " and ".join(self.files) or programs.get(self.program) or self.socket

    @property
    def place(self) -> tuple[str, ...]:
        """What two judgements are compared by: wherefrom, not since when."""
        return self.files or (self.program or self.socket,)


def choices(machine: Machine, since: float | None = None) -> tuple[list[Choice], list[str]]:
    """All that serve, the best first, and for each that does not, why.

    A syslog daemon's file counts where a process has it open for writing or where it has grown `since` (epoch seconds; the
    machine's boot, if not given): one that is merely there may be left from before the move to journald. Those that
    one daemon writes are followed together as soon as one counts; Debian's and Red Hat's are choices of their own, as Debian
    used to write most lines to syslog and messages alike.
    """
    judged = [*_logread(machine), *_files(machine, since), *_journal(machine), *_dev_log(machine)]
    return [one for one in judged if isinstance(one, Choice)], [one for one in judged if isinstance(one, str)]


def nothing_found(against: list[str]) -> SourceError:
    """What to say where there is no system log."""
    return SourceError(
        f"{SYSTEM_LOG}: none was found: {'; '.join(against)} "
        "(name the log in the rules with `option file`, or start a syslog daemon)"
    )


def _logread(machine: Machine) -> Iterator[Choice | str]:
    if not machine.file("etc/openwrt_release").exists():
        yield "this is no OpenWrt"
    elif not machine.has_program("logread"):
        yield "this is OpenWrt, but there is no logread in PATH"
    else:
        yield Choice("this is OpenWrt", program="logread")


def _files(machine: Machine, since: float | None) -> Iterator[Choice | str]:
    written = machine.written_files()
    start = machine.boot_time() if since is None else since
    for names in TOGETHER:
        paths = [machine.file(f"var/log/{name}") for name in names]
        verdicts = {path: _verdict(path, written, start) for path in paths}
        counting = [path for path in paths if verdicts[path].counts]
        unreadable = [path for path in counting if not os.access(path, os.R_OK)]
        yield from (f"{path} is in use, but {UNREADABLE}" for path in unreadable)
        if counting and not unreadable:
            reason = "; ".join(f"{path} {verdicts[path].reason}" for path in counting)
            yield Choice(reason, files=tuple(map(str, paths)))
        else:
            yield from (f"{path} {verdicts[path].reason}" for path in paths if path not in counting)


@dataclass(frozen=True, slots=True)
class _Verdict:
    counts: bool
    reason: str


def _verdict(path: Path, written: set[str], start: float | None) -> _Verdict:
    try:
        changed = path.stat().st_mtime
    except FileNotFoundError:
        return _Verdict(False, "is not there")
    except OSError as error:
        return _Verdict(False, f"cannot be seen: {error.strerror}")
    if str(path) in written or os.path.realpath(path) in written:
        return _Verdict(True, "is open in a running process")
    if start is not None and changed > start:
        return _Verdict(True, "has grown lately")
    return _Verdict(False, "is there, but nobody writes to it")


def _journal(machine: Machine) -> Iterator[Choice | str]:
    if not machine.file("run/systemd/journal/socket").exists():
        yield "no journald is running"
    elif not machine.has_program("journalctl"):
        yield "journald is running, but there is no journalctl in PATH"
    else:
        yield Choice("journald is running", program="journalctl")


def _dev_log(machine: Machine) -> Iterator[Choice | str]:
    path = machine.file("dev/log")
    first = machine.first_process()
    if path.is_symlink() or path.exists() and not is_left_behind(str(path)):
        yield f"{path} is there already"
    elif not first or first in INITS:
        yield f"{path} is not served, but process 1 is {first or 'unknown'}, which may yet start a syslog daemon"
    else:
        yield Choice(f"nothing logs here, and process 1 is {first}: a container", socket=str(path))


def _open_for_writing(process: str, folders: Collection[str]) -> Iterator[str]:
    try:
        numbers = os.listdir(f"{process}/fd")
    except OSError:
        return  # gone, or not ours to look at
    for number in numbers:
        try:
            name = os.readlink(f"{process}/fd/{number}")
        except OSError:
            continue
        if ("/log/" in name or os.path.dirname(name) in folders) and _is_writer(process, number):
            yield name


def _name_of(process: str) -> str:
    try:
        with open(f"{process}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a process"


def _is_writer(process: str, number: str) -> bool:
    """By the access mode in proc(5) fdinfo; where that is hidden, it is taken for one."""
    try:
        with open(f"{process}/fdinfo/{number}") as info:
            flags = next((line.split()[1] for line in info if line.startswith("flags:")), "1")
    except OSError:
        return True
    return int(flags, 8) & os.O_ACCMODE != os.O_RDONLY
