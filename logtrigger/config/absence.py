"""A rule's `absent` and `forget`, and what cannot stand beside them: such a rule waits for events and counts none."""

from __future__ import annotations

from logtrigger.config.merge import Draft
from logtrigger.config.options import RuleOptions
from logtrigger.config.words import Report
from logtrigger.durations import spoken

COUNTING = ("maxfail", "time", "distinct", "group", "weight", "reset_by", "suppress", "ban")


def check(draft: Draft, options: RuleOptions, report: Report) -> None:
    """Report what does not fit together."""
    if options.absent is None:
        if "forget" in draft.given and "absent" not in draft.given:
            fault = "'forget' says nothing of a rule without 'absent'"
            report.error(draft.given["forget"].place, fault, "add option absent '25h', or remove it")
        return
    for name in COUNTING:
        if name in draft.given:
            fault = f"'{name}' beside 'absent': the rule tells that events stay away, and counts none"
            report.error(draft.given[name].place, fault, f"remove it, or write a rule of its own with '{name}'")
    if options.distinct is not None and "distinct" not in draft.given:
        report.error(draft.given["absent"].place, "'absent' beside a condition on a change", "write a rule of its own for each")
    if options.forget <= options.absent:
        place = draft.given.get("forget", draft.given["absent"]).place
        spans = f"'forget' is {spoken(options.forget)}, and 'absent' {spoken(options.absent)}"
        fault = f"{spans}: all is forgotten before it is missing"
        report.error(place, fault, f"write option forget '{spoken(2 * options.absent)}' or more")
