"""`widen`: for each prefix a rule beside the rule itself, which counts the different addresses of one prefix and bans that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from logtrigger import conditions
from logtrigger.config.merge import Draft
from logtrigger.config.options import RuleOptions
from logtrigger.config.words import Report
from logtrigger.rule import BanOptions, Distinct, Rule

Levels = tuple[tuple[int, int], ...]  # (prefix, how many addresses)
_SHORTEST6 = 32  # prefixes from here on are of IPv6


def version(prefix: int) -> int:
    """Which version a prefix of `widen` is for: none of IPv4 is as long as a useful one of IPv6 is short."""
    return 4 if prefix < _SHORTEST6 else 6


def check(draft: Draft, options: RuleOptions, report: Report) -> Levels:
    """What `widen` says, without what contradicts itself or the rule."""
    good: list[tuple[int, int]] = []
    own = {4: ("ban_prefix4", options.ban_prefix4), 6: ("ban_prefix6", options.ban_prefix6)}
    for prefix, number in options.widen:
        place = draft.given["widen"].place
        name, banned = own[version(prefix)]
        narrower = [(p, n) for p, n in good if version(p) == version(prefix)]
        if prefix >= banned:
            fault = f"'widen' to /{prefix}, but by '{name}' addresses are banned by /{banned} anyway"
            report.error(place, fault, f"write a prefix shorter than {banned}, or a longer {name}")
        elif any(p == prefix for p, _ in narrower):
            report.error(place, f"'widen' has /{prefix} twice", "keep one of the two")
        elif any((p < prefix) != (n > number) for p, n in narrower):
            p, n = next((p, n) for p, n in narrower if (p < prefix) != (n > number))
            fault = f"'widen' wants {number} addresses for /{prefix}, and {n} for /{p}"
            report.error(place, fault, "write a higher number for the wider prefix")
        else:
            good.append((prefix, number))
    return tuple(good)


def with_wide(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules, each followed by those that ban its prefixes."""
    return tuple(one for rule in rules for one in (rule, *_wide(rule)))


def _wide(rule: Rule) -> Iterator[Rule]:
    ban = rule.ban
    for prefix, number in ban.widen if ban is not None else ():
        assert ban is not None
        everybody = "0.0.0.0/0" if version(prefix) == 4 else "::/0"
        yield replace(
            rule,
            name=f"{rule.name}/{prefix}",
            of=rule.name,
            key=(ban.field,),
            distinct=Distinct(ban.field, ban.prefix4, ban.prefix6),
            maxfail=number,
            group="",
            weight=1,
            suppress=0.0,
            trust=0.0,
            when=(*rule.when, conditions.compile(f"{ban.field} in {everybody}", {ban.field: "ip"})),
            ban=_ban(ban, prefix),
            script=None,
            env=(),
            actions=(),
        )


def _ban(ban: BanOptions, prefix: int) -> BanOptions:
    if version(prefix) == 4:
        return replace(ban, prefix4=prefix, widen=(), widened=True)
    return replace(ban, prefix6=prefix, widen=(), widened=True)
