"""What is allowed in a configuration but hardly meant, or dangerous: warnings, for `logtrigger check` alone.

Each check takes a rule that runs and yields warnings at the place of the option concerned. They take milliseconds a rule, or a
second for one that is odd enough, which is why the daemon does without them.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterator, Sequence

from logtrigger.config import forgery, relations
from logtrigger.config.forgery import ADDRESS_TYPES, Forgery
from logtrigger.config.relations import Built
from logtrigger.config.rules import OPTION_OF
from logtrigger.config.uci import Value
from logtrigger.config.words import listed, shown
from logtrigger.errors import Complaint, Place
from logtrigger.patterns.form import Conversion, Form
from logtrigger.patterns.pattern import Pattern
from logtrigger.patterns.regex import RegexPattern
from logtrigger.recognise import Line, Recogniser
from logtrigger.rule import SYSTEM_LOG, Rule, Settings, SourceOptions
from logtrigger.text import safe

_NAMED = 6  # rules that do nothing, where a file has many
_LITERAL = 3  # characters that tell a line from others well enough to look for them first
_LIKE_ADDRESSES = frozenset(
    "addr address client client_addr client_ip clientip from_ip host_ip hostip ip_addr ip_address ipaddr ipaddress peer peer_ip"
    " remote remote_addr remote_ip rhost rip saddr source source_addr source_ip src src_addr src_ip srcip".split()
)
_RUN = re.compile(r"(.)\1{40,}")  # of one character, in a line that is shown
_FREE_TEXTS = (b"qx", b"qx zq", b"7qx")  # hardly part of any literal text
_TOKENS: tuple[dict[str, bytes], ...] = (  # the extremes of what a token holds, by its type
    {"ip": b"192.0.2.77", "net": b"192.0.2.0/24", "host": b"qx.example", "int": b"99999999"},
    {"ip": b"2001:db8::77", "net": b"2001:db8::/32", "host": b"192.0.2.77", "int": b"-5"},
)

Loaded = tuple[Built, Rule]


def warnings(built: Sequence[Built], running: Sequence[Rule], sources: Sequence[SourceOptions] = ()) -> list[Complaint]:
    """All there is to say of the rules that run, sorted by place."""
    made = {one.options.name: one for one in built}
    rules = [(made[rule.name], rule) for rule in running if rule.name in made]
    found = [
        warning
        for one in rules
        for check in (_forgeable, _wide, _untyped, _foreign, _unnamed, _backtracking)
        for warning in check(one)
    ]
    named = {source.name: source for source in sources}
    spoofed = [warning for one in rules for warning in _spoofable(one, named.get(one[1].source))]
    return sorted({*found, *spoofed, *_double(rules)})


def emptiness(settings: Settings) -> list[Complaint]:
    """What there is to say of a configuration that looks for nothing."""
    if settings.rules or settings.sources:
        return []
    place = Place(str(settings.path), 1)
    return [_warning(place, "no rule runs: nothing is looked for", "write one that begins with: config rule")]


def idleness(built: Sequence[Built], settings: Settings) -> list[Complaint]:
    """Of each included file, the rules that do nothing: a note, as it may offer more than anybody needs."""
    files: dict[str, list[str]] = {}
    for rule in relations.idle(built, settings.rules):
        if rule.place.path != str(settings.path):
            files.setdefault(rule.place.path, []).append(rule.name)
    return [_idle(path, names) for path, names in files.items()]


def _idle(path: str, names: Sequence[str]) -> Complaint:
    some = [*names[:_NAMED], f"{len(names) - _NAMED} more"] if len(names) > _NAMED + 1 else names
    number = f"{len(names)} rule{'s' * (len(names) != 1)} of this file {'does' if len(names) == 1 else 'do'} nothing yet"
    remedy = "name those that you need in a 'config override' with list action or option ban"
    return Complaint(Place(path, 1), f"{number}: {listed(some)}", remedy, "note")


def _warning(place: Place, fault: str, remedy: str) -> Complaint:
    return Complaint(place, fault, remedy, "warning")


def _values(built: Built) -> tuple[str, Sequence[Value]]:
    """The option that holds the patterns, and its values."""
    given = {"scanf": built.options.pattern, "format": built.options.format, "regex": built.options.regex}
    return next((OPTION_OF[syntax], values) for syntax, values in given.items() if values)


def _patterns(one: Loaded) -> Iterator[tuple[str, Place, Pattern]]:
    """Each pattern of a rule: the option's name, its place, the pattern."""
    option, values = _values(one[0])
    for value, pattern in zip(values, one[1].patterns, strict=True):
        yield option, value.place, pattern


def _forgeable(one: Loaded) -> Iterator[Complaint]:
    option, values = _values(one[0])
    for found in forgery.find(one[1]):
        yield _warning(values[found.pattern].place, f"'{option}': {_forged(found)}", _way_out(one[1].patterns[found.pattern]))


def _forged(found: Forgery) -> str:
    if not found.line:
        return f"free text beside the field '{found.field}' may become a part of it"
    unless = "" if found.whole else ", unless option when forbids it"
    line = _RUN.sub(lambda run: f"{run[0][:3]}…(a run of {len(run[0])})", safe(found.line))
    return f"free text can forge '{found.field}': {safe(found.read)}, not {safe(found.true)}, is read{unless} from: {line}"


def _way_out(pattern: Pattern) -> str:
    if isinstance(pattern, RegexPattern):
        return r"let free text hold no blanks, as \S+ does, or end the expression behind the address, with $"
    tag = "" if pattern.anchor else "begin the pattern with the program's tag as in sshd[%d]: and "
    return f"{tag}give free text that never holds blanks the type word, or end the pattern with the address"


def _wide(one: Loaded) -> Iterator[Complaint]:
    for option, place, pattern in _patterns(one):
        if len(pattern.literal.decode("utf-8", "replace")) < _LITERAL:
            fault = f"'{option}': no text of {_LITERAL} characters that every such line holds: all lines are looked at"
            yield _warning(place, fault, "write more of the line into it")


def _untyped(one: Loaded) -> Iterator[Complaint]:
    built, _ = one
    for index, (_, place, pattern) in enumerate(_patterns(one)):
        if isinstance(pattern, RegexPattern) or any(kind in ADDRESS_TYPES for kind in pattern.types):
            continue
        given = built.options.fields
        fields = given[index if len(given) > 1 else 0] if given else None
        written = fields.text.split() if fields else re.findall(r"\{(\w+)\}", pattern.text)
        for name in written:
            if name.lower() in _LIKE_ADDRESSES and dict(zip(pattern.fields, pattern.types, strict=True)).get(name) == "text":
                fault = f"the field '{name}' sounds like an address but takes any text"
                yield _warning(fields.place if fields else place, fault, f"write {name}:ip, or {name}:text to mean this")


def _foreign(one: Loaded) -> Iterator[Complaint]:
    built, rule = one
    untagged = [place for _, place, pattern in _patterns(one) if pattern.anchor != "tag"]
    has_address = any(kind in ADDRESS_TYPES for kind in rule.types.values())
    if (rule.script is None and rule.ban is None) or rule.programs or rule.senders or not untagged or not has_address:
        return
    if _is_root(untagged[0]) and _is_for_strangers(rule.source):
        what = (
            "any local user can write such a line with logger"
            if rule.source == SYSTEM_LOG
            else f"anybody can write to {rule.source}"
        )
        deed = "bans an address" if rule.ban is not None else "runs a script for an address"
        fault = f"root {deed} of rule '{rule.name}', and {what}"
        yield _warning(untagged[0], fault, "add option program, or begin the pattern with the program's tag as in sshd[%d]:")


def _unnamed(one: Loaded) -> Iterator[Complaint]:
    """Whether an anchored rule on the system log looks for its message where the host stands."""
    built, rule = one
    if built.options.anchored and not rule.programs and rule.source == SYSTEM_LOG:
        fault = "the message begins behind the time, with the host, as the rule names no program"
        yield _warning(built.place("anchored"), fault, "add option program 'NAME'")


def _spoofable(one: Loaded, source: SourceOptions | None) -> Iterator[Complaint]:
    """Whoever may send can write any address into a datagram's header, and so speak in another's name."""
    rule = one[1]
    udp = [address for address in source.listen if address.startswith("udp:")] if source else []
    if udp and (rule.script is not None or rule.ban is not None):
        fault = f"rule '{rule.name}' acts on what {udp[0]} receives, and a datagram's sender can be forged"
        yield _warning(one[0].place("source"), fault, "receive by tls or tcp, or let the rule only count")


def _is_root(place: Place) -> bool:
    """Whether root is to run what a file says."""
    return os.geteuid() == 0 or os.path.exists(place.path) and os.stat(place.path).st_uid == 0


def _is_for_strangers(source: str) -> bool:
    if source == SYSTEM_LOG:
        return True
    paths = [path for path in glob.glob(source) if os.path.exists(path)]
    return any(os.stat(path).st_mode & stat.S_IWOTH for path in paths)


def _backtracking(one: Loaded) -> Iterator[Complaint]:
    for option, place, pattern in _patterns(one):
        if isinstance(pattern, RegexPattern) and pattern.backtracks:
            fault = f"'{option}' backtracks, so it sees the first {pattern.longest} bytes of a line only: {pattern.backtracks}"
            yield _warning(place, fault, "write it as a pattern or format, or without what RE2 lacks")


# --- rules that do again what another does ---


def _double(rules: Sequence[Loaded]) -> Iterator[Complaint]:
    """Patterns given twice, and rules all of whose events are events of an earlier rule that does the same."""
    resetting = {name for _, rule in rules for name in rule.reset_by}
    alike: dict[object, list[Loaded]] = {}
    for one in rules:
        yield from _twice(one)
        if one[1].name in resetting or one[1].group:
            continue
        earlier = alike.setdefault(_conduct(one), [])
        first = next((other[1] for other in earlier if _covers(other[1], one[1])), None)
        if first is not None:
            deed, else_ = ("runs the same script", ", or the script runs twice") if first.script else ("does the same", "")
            fault = f"every event of rule '{one[1].name}' is one of rule '{first.name}' at {first.place} too, which {deed}"
            yield _warning(one[0].place("name"), fault, f"drop one of the two{else_}")
        earlier.append(one)


def _twice(one: Loaded) -> Iterator[Complaint]:
    seen: dict[object, Place] = {}
    for option, place, pattern in _patterns(one):
        first = seen.setdefault(_identity(pattern), place)
        if first is not place:
            yield _warning(
                place, f"'{option}': the pattern {shown(pattern.text)} stands at {first} already", "drop one of the two"
            )


def _identity(pattern: Pattern) -> tuple[object, ...]:
    return type(pattern), pattern.text, pattern.fields, pattern.types, pattern.nocase


def _conduct(one: Loaded) -> object:
    """What a rule does with its events, and which it leaves out: two rules that share it differ in their patterns alone."""
    rule, options = one[1], one[0].options
    counting = (rule.maxfail, rule.time, rule.key, rule.distinct, rule.weight, rule.suppress, rule.reset_by, rule.absent)
    left_out = (tuple(map(_identity, rule.excepts)), tuple(value.text for value in options.when), options.ignore)
    return rule.source, rule.senders, rule.ban, rule.script, rule.env, rule.fields, counting, left_out


def _covers(first: Rule, second: Rule) -> bool:
    """Whether every event of the second rule is an event of the first, for sure."""
    if first.programs and not (second.programs and second.programs <= first.programs):
        return False
    known = {_identity(pattern) for pattern in first.patterns}
    recogniser = Recogniser(first)
    return all(_identity(pattern) in known or _takes_all(recogniser, pattern, second) for pattern in second.patterns)


def _takes_all(recogniser: Recogniser, pattern: Pattern, rule: Rule) -> bool:
    """Whether a rule recognises whatever a pattern does: lines whose free text says nothing.

    Where such lines are its events, its literal text lies in the pattern's and its fields take what the pattern's take.
    """
    if not isinstance(pattern, Form) or rule.when or rule.excepts:
        return False
    return all(
        recogniser.recognise(Line(line, 0, len(line))) is not None
        for program in sorted(rule.programs) or ["qdaemon"]
        for line in _renderings(pattern, program.encode())
    )


def _renderings(pattern: Form, program: bytes) -> Iterator[bytes]:
    head = forgery.header(program, pattern.anchor)
    kinds = {index: e.kind for index, e in enumerate(pattern.elements) if isinstance(e, Conversion)}
    for values in _TOKENS:
        tokens = {index: values.get(kind.name, b"") for index, kind in kinds.items()}
        for free in _FREE_TEXTS:
            yield head + forgery.rendered(pattern, tokens, free)
