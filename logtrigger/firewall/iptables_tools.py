"""Our chains by means of the tools: iptables-restore makes all changes of a table at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from logtrigger.errors import FirewallError
from logtrigger.firewall.chains import CHAIN, Plan
from logtrigger.firewall.children import Children, Ended, find_program
from logtrigger.firewall.netlink import NO_PERMISSION
from logtrigger.loop import Loop
from logtrigger.programs import PATH

_TIMEOUT = 60.0  # seconds, also for others to give the lock back
_WAIT = ["-w", "10"]  # seconds, for the lock


class ToolChains:
    """Runs `iptables` and `ip6tables`, of either flavour."""

    def __init__(self, loop: Loop, plans: Sequence[Plan], variant: str = "") -> None:
        """`variant` is what follows the tools' names: nothing, `-legacy` or `-nft`."""
        self._plans = plans
        self._variant = variant
        self._children = Children(loop)

    def set_up(self) -> None:
        for plan in self._plans:
            present = self._listed(plan)
            lines = [f":{CHAIN} - [0:0]", *(f"-A {CHAIN} {' '.join(rule.arguments())}" for rule in plan.rules)]
            lines += jumps_away(present)
            lines += [f"-I {base} 1 -j {CHAIN}" for base in plan.bases if has_chain(present, base)]
            self._restore(plan, lines)

    def look(self, done: Callable[[bool | None], None]) -> None:
        answers: list[bool | None] = []
        checks = [(plan, base) for plan in self._plans for base in (CHAIN, *plan.bases)]

        def take(answer: bool | None) -> None:
            answers.append(answer)
            if len(answers) == len(checks):
                done(False if False in answers else None if None in answers else True)

        for plan, chain in checks:
            self._check(plan, chain, take)

    def _check(self, plan: Plan, chain: str, take: Callable[[bool | None], None]) -> None:
        """Whether our chain has its rules; of another, whether it jumps to ours. Exit 1: there is no such rule or chain."""
        tool = [self._tool(plan), *_WAIT]

        def has_rules(ended: Ended) -> None:
            rules = sum(line.startswith(f"-A {CHAIN} ") for line in ended.lines)
            take(rules >= len(plan.rules) if ended.code == 0 else False if ended.code == 1 else None)

        def has_jump(ended: Ended) -> None:
            if ended.code == 1:
                self._children.run([*tool, "-S", chain, "1"], lambda ended: take(ended.code != 0))  # no chain, no jump
            else:
                take(True if ended.code == 0 else None)

        if chain == CHAIN:
            self._children.run([*tool, "-S", CHAIN], has_rules)
        else:
            self._children.run([*tool, "-C", chain, "-j", CHAIN], has_jump)

    def tear_down(self) -> None:
        for plan in self._plans:
            present = self._listed(plan)
            if has_chain(present, CHAIN):
                self._restore(plan, [*jumps_away(present), f"-F {CHAIN}", f"-X {CHAIN}"])

    def close(self) -> None:
        self._children.close()

    def _tool(self, plan: Plan, suffix: str = "") -> str:
        return f"{'iptables' if plan.version == 4 else 'ip6tables'}{self._variant}{suffix}"

    def _listed(self, plan: Plan) -> list[str]:
        return run([self._tool(plan), *_WAIT, "-S"]).splitlines()

    def _restore(self, plan: Plan, lines: Sequence[str]) -> None:
        text = "\n".join(["*filter", *lines, "COMMIT", ""])
        run([self._tool(plan, "-restore"), *_WAIT, "--noflush"], text)


def has_chain(listed: Sequence[str], chain: str) -> bool:
    """Whether `iptables -S` names the chain, built in or not."""
    return any(line.split()[:2] in (["-N", chain], ["-P", chain]) for line in listed)


def jumps_away(listed: Sequence[str]) -> list[str]:
    """What deletes every jump to our chain.

    >>> jumps_away(["-P INPUT ACCEPT", "-A INPUT -j LOGTRIGGER", "-A INPUT -i lo -j ACCEPT"])
    ['-D INPUT -j LOGTRIGGER']
    """
    return ["-D" + line[2:] for line in listed if line.startswith("-A ") and line.endswith(f" -j {CHAIN}")]


def run(command: Sequence[str], text: str = "") -> str:
    """Run a tool and wait for it; what it prints. Raises FirewallError with what it complains of."""
    import subprocess

    env = {"PATH": PATH, "LC_ALL": "C"}
    try:
        command = [find_program(command[0]), *command[1:]]
        done = subprocess.run(command, input=text, env=env, capture_output=True, text=True, timeout=_TIMEOUT)
    except FileNotFoundError:
        raise FirewallError(f"there is no {command[0]}: install the package iptables") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FirewallError(f"{command[0]}: {error}") from None
    if done.returncode:
        name = command[0].rpartition("/")[2]
        why = next(iter(done.stderr.strip().splitlines()), f"exit {done.returncode}")
        raise FirewallError(f"{name}: {NO_PERMISSION}" if "ermission denied" in done.stderr else f"{name}: {why}")
    return done.stdout
