"""Our chains by means of python-iptables, in a process of its own for each task.

libxtables ends the process when it does not like something, and importing it takes 22 MB that the daemon shall not keep.
python-iptables sees the legacy tables only.

    python -m logtrigger.firewall.iptables_library set-up|look|tear-down PLANS

looks for or changes what the PLANS (JSON) say. Exit status: 0 done, 1 something is missing, 2 it failed, as said on
standard error.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

from logtrigger.firewall.chains import CHAIN, ChainRule, Plan
from logtrigger.firewall.children import Children, Ended
from logtrigger.firewall.iptables_tools import run
from logtrigger.loop import Loop


def is_installed() -> bool:
    """Whether python-iptables is there."""
    return find_spec("iptc") is not None


class LibraryChains:
    """Has this module run, each time."""

    def __init__(self, loop: Loop, plans: Sequence[Plan]) -> None:
        self._plans = json.dumps([asdict(plan) for plan in plans])
        self._children = Children(loop)

    def set_up(self) -> None:
        run(self._command("set-up"))

    def look(self, done: Callable[[bool | None], None]) -> None:
        def take(ended: Ended) -> None:
            done({0: True, 1: False}.get(ended.code))

        self._children.run(self._command("look"), take)

    def tear_down(self) -> None:
        run(self._command("tear-down"))

    def close(self) -> None:
        self._children.close()

    def _command(self, task: str) -> list[str]:
        # The path is that of this process: its packages may be in an environment of their own.
        program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; sys.exit(main(sys.argv[1:]))"
        return [sys.executable, "-c", program, task, self._plans]


def main(arguments: Sequence[str]) -> int:
    """Do one task; the exit status."""
    iptc = importlib.import_module("iptc")
    task, text = arguments
    tasks = {"set-up": _set_up, "look": _is_whole, "tear-down": _tear_down}
    try:
        for raw in json.loads(text):
            plan = Plan(raw["version"], tuple(ChainRule(**rule) for rule in raw["rules"]), tuple(raw["bases"]))
            table = (iptc.Table if plan.version == 4 else iptc.Table6)("filter", autocommit=False)
            table.refresh()
            if not tasks[task](iptc, table, plan):
                return 1
            if task != "look":
                table.commit()
    except (iptc.IPTCError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _set_up(iptc: Any, table: Any, plan: Plan) -> bool:
    if table.is_chain(CHAIN):
        iptc.Chain(table, CHAIN).flush()
    else:
        table.create_chain(CHAIN)
    chain = iptc.Chain(table, CHAIN)
    for rule in plan.rules:
        chain.append_rule(_rule(iptc, plan, rule))
    for base in table.chains:
        for jump in _jumps(base):
            base.delete_rule(jump)
    for name in plan.bases:
        if table.is_chain(name):
            iptc.Chain(table, name).insert_rule(_rule(iptc, plan, ChainRule(target=CHAIN)))
    return True


def _is_whole(iptc: Any, table: Any, plan: Plan) -> bool:
    if not table.is_chain(CHAIN) or len(iptc.Chain(table, CHAIN).rules) < len(plan.rules):
        return False
    return all(_jumps(iptc.Chain(table, name)) for name in plan.bases if table.is_chain(name))


def _tear_down(iptc: Any, table: Any, plan: Plan) -> bool:
    if table.is_chain(CHAIN):
        for base in table.chains:
            for jump in _jumps(base):
                base.delete_rule(jump)
        iptc.Chain(table, CHAIN).flush()
        table.delete_chain(CHAIN)
    return True


def _jumps(chain: Any) -> list[Any]:
    return [rule for rule in chain.rules if rule.target is not None and rule.target.name == CHAIN]


def _rule(iptc: Any, plan: Plan, wanted: ChainRule) -> Any:
    rule = (iptc.Rule if plan.version == 4 else iptc.Rule6)()
    if wanted.interface:
        rule.in_interface = wanted.interface
        if plan.version == 6:
            # python-iptables 1.2 compares but the lowest bit of each letter there, so that "lo" is "veth0" as well.
            rule.entry.ipv6.iniface_mask = b"\xff" * (len(wanted.interface) + 1)
    if wanted.protocol:
        rule.protocol = wanted.protocol
    if wanted.icmpv6_type:
        rule.create_match("icmp6").icmpv6_type = wanted.icmpv6_type
    if wanted.ports:
        rule.create_match("multiport").dports = wanted.ports
    if wanted.ban_set:
        rule.create_match("set").match_set = [wanted.ban_set, "src"]
    target = rule.create_target(wanted.target)
    if wanted.reject_with:
        target.reject_with = wanted.reject_with
    return rule
