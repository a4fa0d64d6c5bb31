"""A small Debian with a systemd of its own, in namespaces, for a package to be installed on."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.live import BOUND

ROOT = Path(__file__).parents[2]
_CACHE = ROOT / "build/debian"  # "make clean" removes it
_PACKAGES = "python3,systemd,nftables,python3-nftables,iptables"
_BOOT = Path(__file__).with_name("boot.sh")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Done = subprocess.CompletedProcess[str]


def debian() -> Path:
    """The file system of a fresh one, of DEBIAN_RELEASE or else of our own release; made once, which takes most of a minute."""
    release = _release()
    folder = _CACHE.with_name(f"{_CACHE.name}-{release}")
    if not folder.exists():
        new = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", release, str(new)]
        done = subprocess.run(command, env={"PATH": _PATH}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        new.rename(folder)
    return folder


def _release() -> str:
    if other := os.environ.get("DEBIAN_RELEASE"):
        return other
    lines = Path("/etc/os-release").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("VERSION_CODENAME="))


class Machine:
    """One that runs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid  # of its systemd, seen from here

    def run(self, command: str, *, check: bool = True, text: str = "") -> Done:
        """Run a shell's command on it."""
        enter = ["nsenter", "--target", str(self.pid), "--all", "--root", "--wd"]
        env = {"PATH": _PATH, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [*enter, "sh", "-c", command], env=env, input=text, capture_output=True, text=True, timeout=BOUND, check=False
        )
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def says(self, command: str) -> str:
        return self.run(command).stdout.strip()

    def until(self, command: str, wanted: str) -> None:
        """Wait until a command says so."""
        end = time.monotonic() + BOUND
        while wanted not in (said := self.run(command, check=False)).stdout:
            journal = self.run("journalctl -n 40 --no-pager", check=False).stdout if time.monotonic() > end else ""
            assert time.monotonic() < end, f"in vain: {command}: {wanted}\n{said.stdout}{said.stderr}\n{journal}"
            time.sleep(0.05)

    def put(self, place: str, text: str) -> None:
        """Write a file on it."""
        self.run(f"mkdir -p $(dirname {place}); cat >{place}", text=text)

    def bring(self, path: Path) -> str:
        """Copy a file onto it; its path there."""
        place = f"/root/{path.name}"
        with path.open("rb") as file:
            enter = ["nsenter", "--target", str(self.pid), "--all", "--root", "--wd"]
            subprocess.run([*enter, "/bin/dd", f"of={place}", "status=none"], stdin=file, check=True, timeout=BOUND)
        return place


@contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """A fresh one; what it writes goes to this folder."""
    places = [folder / name for name in ("upper", "work", "root")]
    for place in places:
        place.mkdir()
    group = _cgroups() / f"logtrigger-test-{os.getpid()}-{time.monotonic_ns()}"
    group.mkdir()
    enter = f'echo $$ >{group}/cgroup.procs; exec unshare --mount --pid --fork --cgroup --ipc --uts --net sh "$0" "$@"'
    process = subprocess.Popen(
        ["sh", "-c", enter, _BOOT, debian(), *places],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    pid = None
    try:
        pid = _child(process)
        machine = Machine(pid)
        machine.until("systemctl is-system-running; test -S /run/systemd/private && echo up", "up")
        machine.until("systemctl is-active multi-user.target && echo up", "up")
        yield machine
    finally:
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, 9)  # and with it all others of its namespace
        else:
            process.kill()
        process.communicate()
        _remove(group)


def _child(process: subprocess.Popen[str]) -> int:
    """The process 1 that unshare has started, once it is systemd."""
    end = time.monotonic() + BOUND
    while time.monotonic() < end:
        assert process.poll() is None, process.communicate()[1]
        with suppress(OSError, ValueError):
            pid = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
            if Path(f"/proc/{pid}/comm").read_text() == "systemd\n":
                return pid
        time.sleep(0.02)
    raise AssertionError("systemd does not start")


def _cgroups() -> Path:
    """Where the second version of cgroups is mounted."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return next(Path(place) for _, place, kind, *_ in mounts if kind == "cgroup2")


def _remove(group: Path) -> None:
    """Remove a group and all below it, as soon as nobody is in it any more."""
    end = time.monotonic() + BOUND
    while group.exists() and time.monotonic() < end:
        for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            with suppress(OSError):
                folder.rmdir()
        with suppress(OSError):
            group.rmdir()
        time.sleep(0.02)
