"""Scripts run as the contract says, whatever was captured, and end when their time is over."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger.actions import script
from logtrigger.actions.base import Action, Result
from logtrigger.actions.script import ScriptAction, Scripts
from logtrigger.loop import Loop
from logtrigger.model import Trigger

MakeTrigger = Callable[..., Trigger]
MakeScript = Callable[..., Path]
Until = Callable[[Callable[[], bool]], None]
OnChild = Callable[[Callable[[], None]], None]
Run = Callable[..., Result]

LIBC_OWN = 0b11 << 31  # signals 32 and 33 are the C library's, nptl(7): nobody else can set them


@pytest.fixture
def scripts(loop: Loop, on_child: OnChild) -> Scripts:
    scripts = Scripts(loop, 20.0)
    on_child(scripts.reap)
    return scripts


@pytest.fixture
def run(scripts: Scripts, until: Until, make_trigger: MakeTrigger) -> Run:
    """Run a script to its end."""

    def run_it(path: Path, trigger: Trigger | None = None, env: tuple[tuple[str, str], ...] = ()) -> Result:
        results: list[Result | None] = []
        action: Action = ScriptAction(scripts, path, env)
        action.start(trigger or make_trigger(), results.append)
        until(lambda: bool(results))
        assert len(results) == 1
        assert not scripts.pids
        assert results[0] is not None
        return results[0]

    return run_it


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one nobody has waited for counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_variables_arrive(run: Run, make_script: MakeScript) -> None:
    path = make_script('#!/bin/sh\necho "$LT_name|$LT_user|$LT_ip|$LT_key|$MODE|$PATH"\nenv | grep -c "^HOME="\n')
    result = run(path, env=(("MODE", "test"),))
    assert result.output == ("sshd|root|1.2.3.4|1.2.3.4 root|test|/usr/sbin:/usr/bin:/sbin:/bin", "0")
    assert (result.ok, result.text) == (False, "exit 1"), "grep found nothing"


@pytest.mark.parametrize(
    "value",
    [
        "$(touch pwned)`touch pwned`;touch pwned|touch pwned&",
        "'\"\\\n\r\0",
        "() { :;}; touch pwned",
        "-rf * ~ $HOME ${IFS}",
        "\x1b[2J\x9b31m\u202e\u2066",
        "\udcff\ud800",
        "x" * 130_000,
        "ä" * 130_000,
    ],
)
def test_hostile_value_arrives_and_does_nothing(
    run: Run, make_script: MakeScript, make_trigger: MakeTrigger, tmp_path: Path, value: str
) -> None:
    path = make_script('#!/bin/sh\nprintf "%s" "$LT_user" | tee "$OUT" | wc -l\n')
    out = tmp_path / "out"
    fields = {"user": value, "ip": "1.2.3.4"}
    trigger = make_trigger(fields=fields, message=value, body=value, key=(value,), source=value, host=value)
    result = run(path, trigger, (("OUT", str(out)),))
    assert (result.text, result.output) == ("exit 0", ("0",))
    arrived = out.read_text("utf-8")
    assert arrived.isprintable()
    assert len(arrived) >= min(len(value), 8 << 10), "replaced, never deleted"
    assert not (tmp_path / "pwned").exists() and not Path("pwned").exists()


def test_many_long_values_never_break_the_start(run: Run, make_script: MakeScript, make_trigger: MakeTrigger) -> None:
    trigger = make_trigger(fields={f"text{n}": "x" * 130_000 for n in range(50)} | {"ip": "1.2.3.4"})
    result = run(make_script('#!/bin/sh\necho "$LT_ip $LT_truncated"\n'), trigger)
    assert result.output == ("1.2.3.4 1",)


@pytest.mark.parametrize(
    ("text", "mode"),
    [("echo ran\n", 0o600), ("#!/bin/sh\necho ran\n", 0o600), ("echo ran\n", 0o700), ("#!/bin/sh\necho ran\n", 0o700)],
    ids=["no run bit, no #!", "no run bit", "no #!", "usual"],
)
def test_ways_to_run(run: Run, make_script: MakeScript, text: str, mode: int) -> None:
    result = run(make_script(text, mode))
    assert (result.text, result.output) == ("exit 0", ("ran",))


def test_surroundings(run: Run, make_script: MakeScript) -> None:
    """Its own process group, nothing on standard input, no signal ignored or blocked."""
    path = make_script(
        "#!/bin/sh\ncat\nset -- $(cat /proc/self/stat); echo $5 = $$\ngrep -E '^Sig(Blk|Ign)' /proc/self/status\n"
    )
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        result = run(path)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
        signal.signal(signal.SIGHUP, old)
    group, blocked, ignored = result.output
    assert group.split(" = ")[0] == group.split(" = ")[1]
    assert int(blocked.split()[1], 16) == 0
    assert int(ignored.split()[1], 16) & ~LIBC_OWN == 0


def test_exit_status_and_both_outputs_are_told(run: Run, make_script: MakeScript) -> None:
    result = run(make_script("#!/bin/sh\nprintf 'to out\\n'\nprintf 'to \\033err\\n' >&2\nexit 3\n"))
    assert (result.ok, result.text, result.output) == (False, "exit 3", ("to out", "to ?err"))
    assert 0 < result.seconds < 20


def test_end_by_signal(run: Run, make_script: MakeScript) -> None:
    result = run(make_script("#!/bin/sh\nkill -9 $$\n"))
    assert (result.ok, result.text) == (False, "ended by signal 9")


def test_large_output_is_read_and_counted(run: Run, make_script: MakeScript) -> None:
    result = run(make_script("#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' x\n"))
    assert result.ok
    assert result.output[1] == "(cut off here; it wrote 0 lines, 3,000,000 bytes in all)"


@pytest.mark.parametrize(
    ("text", "mode", "fault"),
    [
        (None, 0, "No such file or directory"),
        ("#!/no/such/interpreter\n", 0o700, "the program named in its first line does not exist"),
        ("#!/etc/passwd\n", 0o700, "Permission denied"),
    ],
    ids=["missing", "no interpreter", "interpreter cannot run"],
)
def test_what_cannot_start_is_a_result(
    run: Run, make_script: MakeScript, tmp_path: Path, text: str | None, mode: int, fault: str
) -> None:
    before = os.listdir("/proc/self/fd")
    result = run(tmp_path / "none" if text is None else make_script(text, mode))
    assert result == Result(False, f"cannot be started: {fault}")
    assert os.listdir("/proc/self/fd") == before


class Shortage:
    """A machine that lacks processes for so many tries."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tries: int, number: int = errno.EAGAIN) -> None:
        self.left, self._number, self._spawn = tries, number, script.spawn
        monkeypatch.setattr(script, "spawn", self.spawn)
        monkeypatch.setattr(script, "AGAIN", 0.001)

    def spawn(self, path: str, env: dict[str, str]) -> tuple[int, int]:
        self.left -= 1
        if self.left >= 0:
            raise OSError(self._number, os.strerror(self._number))
        return self._spawn(path, env)


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE])
def test_shortage_passes(run: Run, make_script: MakeScript, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """What a machine under attack lacks now it may have in a moment; the script is not given up."""
    shortage = Shortage(monkeypatch, 3, number)
    assert run(make_script("#!/bin/sh\necho here\n")).output == ("here",)
    assert shortage.left == -1


def test_shortage_lasts(run: Run, scripts: Scripts, make_script: MakeScript, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts.timeout = 0.05
    Shortage(monkeypatch, 10**9)
    result = run(make_script("#!/bin/sh\n"))
    assert result.text == "cannot be started: Resource temporarily unavailable"


def test_shortage_does_not_hold_up_the_end(
    run: Run, scripts: Scripts, make_script: MakeScript, monkeypatch: pytest.MonkeyPatch
) -> None:
    Shortage(monkeypatch, 10**9)
    scripts.terminate()
    assert not run(make_script("#!/bin/sh\n")).ok


def test_folder_is_no_script(run: Run, tmp_path: Path) -> None:
    assert run(tmp_path).text == "cannot be started: Permission denied"


def test_background_child_does_not_hold_it(run: Run, make_script: MakeScript) -> None:
    """A script that leaves a process behind, with its output open, has ended when itself has."""
    result = run(make_script("#!/bin/sh\nsleep 100 &\necho $!\n"))
    assert result.text == "exit 0"
    child = int(result.output[0])
    assert not is_gone(child)
    os.kill(child, signal.SIGKILL)


def test_time_limit_ends_the_whole_group(
    run: Run, make_script: MakeScript, scripts: Scripts, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One child ignores SIGTERM, the script itself goes at once: the child is still ended."""
    monkeypatch.setattr(script, "GRACE", 0.2)
    scripts.timeout = 1.0
    result = run(make_script("#!/bin/sh\nsh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' &\nwait\n"))
    assert (result.ok, result.text.rpartition(" ")[0]) == (False, "took too long, ended by signal")
    assert result.seconds >= 1.2
    until(lambda: is_gone(int(result.output[0])))


def test_deaf_script_is_killed(run: Run, make_script: MakeScript, scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "GRACE", 0.2)
    scripts.timeout = 1.0
    result = run(make_script("#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n"))
    assert result.text == "took too long, ended by signal 9"


def test_each_has_its_own_limit(
    make_script: MakeScript, make_trigger: MakeTrigger, scripts: Scripts, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shorter limit, from a reload say, holds for scripts that start later, and the longer one is not forgotten."""
    monkeypatch.setattr(script, "GRACE", 0.0)
    ended: list[str] = []
    path = make_script("#!/bin/sh\nexec sleep 100\n")
    for name, timeout in (("long", 1.0), ("short", 0.3)):
        scripts.timeout = timeout
        scripts.run(path, make_trigger(), (), lambda _, name=name: ended.append(name))  # type: ignore[misc]
    until(lambda: len(ended) == 2)
    assert ended == ["short", "long"]


def test_terminate_ends_all(
    make_script: MakeScript, make_trigger: MakeTrigger, scripts: Scripts, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "GRACE", 0.1)
    results: list[Result] = []
    path = make_script("#!/bin/sh\nexec sleep 100\n")
    for _ in range(3):
        scripts.run(path, make_trigger(), (), results.append)
    scripts.terminate()
    until(lambda: len(results) == 3)
    assert {result.text for result in results} <= {f"stopped with logtrigger, ended by signal {n}" for n in (9, 15)}


def test_other_children_are_left_alone(run: Run, make_script: MakeScript) -> None:
    other = os.posix_spawn("/bin/true", ["true"], {})
    run(make_script("#!/bin/sh\n"))
    assert os.waitpid(other, 0) == (other, 0)


def test_lost_status_ends_it_all_the_same(
    make_script: MakeScript, make_trigger: MakeTrigger, scripts: Scripts, until: Until
) -> None:
    results: list[Result] = []
    scripts.run(make_script("#!/bin/sh\n"), make_trigger(), (), results.append)
    os.waitpid(next(iter(scripts.pids)), 0)
    until(lambda: bool(results))
    assert results[0].text == "exit 255"


def test_start_costs_the_loop_little(make_script: MakeScript, make_trigger: MakeTrigger, scripts: Scripts) -> None:
    path, trigger = make_script("#!/bin/sh\n"), make_trigger()
    costs = []
    for _ in range(20):
        begin = time.perf_counter()
        scripts.run(path, trigger, (), lambda _: None)
        costs.append(time.perf_counter() - begin)
    while scripts.pids:
        scripts.reap()
    assert min(costs) < 0.005, "the bound is for a busy machine; usual are 0.2 ms"


def test_whose_process_it_is(scripts: Scripts, make_script: MakeScript, make_trigger: MakeTrigger, until: Until) -> None:
    """The script itself and what it starts are ours while it runs; nothing else is, nor what does not exist."""
    path = make_script("#!/bin/sh\nsleep 20 &\ncd ${0%/*}; echo $! >child.tmp; mv child.tmp child; wait\n")
    results: list[Result] = []
    ScriptAction(scripts, path).start(make_trigger(), results.append)
    until(lambda: (path.parent / "child").exists())
    child = int((path.parent / "child").read_text())
    assert scripts.owns(child) and all(map(scripts.owns, scripts.pids))
    assert not any(map(scripts.owns, (os.getpid(), 1, 0, -1, 1 << 70)))
    scripts.terminate()
    until(lambda: bool(results))
    assert not scripts.owns(child)
