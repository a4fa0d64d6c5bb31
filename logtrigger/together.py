"""Which rules count together: those that share counters, or empty each other's. No others know of each other."""

from __future__ import annotations

from collections.abc import Sequence

from logtrigger.rule import Rule


def together(rules: Sequence[Rule]) -> list[int]:
    """For each rule the index of the first one that it counts together with: its own, where it is that or counts alone."""
    first = list(range(len(rules)))

    def root(index: int) -> int:
        while first[index] != index:
            index = first[index]
        return index

    by_name = {rule.name: index for index, rule in enumerate(rules)}
    groups: dict[str, int] = {}
    for index, rule in enumerate(rules):
        others = [by_name[name] for name in rule.reset_by if name in by_name]
        if rule.group:
            others.append(groups.setdefault(rule.group, index))
        for other in others:
            low, high = sorted((root(index), root(other)))
            first[high] = low
    return [root(index) for index in range(len(rules))]
