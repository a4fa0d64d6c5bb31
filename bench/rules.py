"""One neutral list of rules, and what each program is told of it.

A rule is a scanf pattern with its fields, as logtrigger has it; from the same pieces come the regular expressions of the
others. No two of the twenty rules recognise the same line, so it does not matter which programs stop at the first that does.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.corpora import COMMON_USERS

MAXFAIL = 5
TIME = 600  # seconds
_CONVERSION = re.compile(r"%[sd]")
_TAG = re.compile(r"(?P<program>[A-Za-z0-9_./()-]+)\[%d\]: ")
_SPECIAL = re.compile(r"[][\\.^$*+?{}|()]")
_NUMBER = "[+-]?[0-9]+"
_ADDRESS = "[0-9a-fA-F.:]+"
_KINDS = {"ip": _ADDRESS, "host": r"\S+", "word": r"\S+"}
_SAMPLES = {"ip": "192.0.2.7", "host": "a.example.net", "word": "word"}


@dataclass(frozen=True, slots=True)
class Conversion:
    """A %s or %d of a pattern."""

    letter: str
    field: str
    kind: str  # the field's type; "" for any text

    def expression(self, *, greedy: bool) -> str:
        if self.letter == "d":
            return _NUMBER
        return _KINDS.get(self.kind, ".+" if greedy else ".+?")


@dataclass(frozen=True, slots=True)
class Rule:
    """What to recognise and what to count it by."""

    name: str
    pattern: str
    fields: str  # one for each conversion, "-" for what is not kept
    key: str = ""  # the field that is counted by; "": one counter for the rule

    @property
    def program(self) -> str:
        """The program that the pattern names, "" where it names none."""
        tag = _TAG.match(self.pattern)
        return tag["program"] if tag else ""

    @property
    def texts(self) -> list[str]:
        """The literal text before, between and behind the conversions."""
        return _CONVERSION.split(self.pattern)

    @property
    def conversions(self) -> list[Conversion]:
        found = []
        for letter, field in zip(_CONVERSION.findall(self.pattern), self.fields.split(), strict=True):
            name, _, kind = field.partition(":")
            found.append(Conversion(letter[1], name, kind or ("ip" if name == "ip" else "")))
        return found

    def sample(self) -> str:
        """A line that the rule recognises."""
        values = [_SAMPLES.get(found.kind, "42" if found.letter == "d" else "text") for found in self.conversions]
        return "Nov 29 17:20:00 gate " + "".join(a + b for a, b in zip(self.texts, [*values, ""], strict=True))


_PAM = "authentication failure; logname= uid=%d euid=%d tty=ssh ruser= rhost=%s"
_OLD_PAM = _PAM.replace("tty=ssh", "tty=NODEVssh")
RULES = (
    Rule("ssh_failed", "sshd[%d]: Failed password for %s from %s port %d ssh2", "- user ip -", "ip"),
    Rule("ssh_disconnect", "sshd[%d]: Received disconnect from %s: %d: Bye Bye [preauth]", "- ip -", "ip"),
    Rule("ssh_pam_user", f"sshd[%d]: pam_unix(sshd:auth): {_PAM}  user=%s", "- - - rhost:host user", "rhost"),
    Rule("ssh_pam", f"sshd[%d]: pam_unix(sshd:auth): {_PAM}", "- - - rhost:host", "rhost"),
    Rule("ssh_invalid", "sshd[%d]: Invalid user %s from %s", "- user ip", "ip"),
    Rule(
        "ssh_reverse",
        "sshd[%d]: reverse mapping checking getaddrinfo for %s [%s] failed - POSSIBLE BREAK-IN ATTEMPT!",
        "- peer:host ip",
        "ip",
    ),
    Rule("ssh_closed", "sshd[%d]: Connection closed by %s [preauth]", "- ip", "ip"),
    Rule("ssh_silent", "sshd[%d]: Did not receive identification string from %s", "- ip", "ip"),
    Rule("ssh_none", "sshd[%d]: Failed none for invalid user %s from %s port %d ssh2", "- user ip -", "ip"),
    Rule("pam_user", f"sshd(pam_unix)[%d]: {_OLD_PAM}  user=%s", "- - - rhost:host user", "rhost"),
    Rule("pam", f"sshd(pam_unix)[%d]: {_OLD_PAM}", "- - - rhost:host", "rhost"),
    Rule("ftpd_connection", "ftpd[%d]: connection from %s () at %s", "- ip when", "ip"),
    Rule("su_opened", "su(pam_unix)[%d]: session opened for user %s by (uid=%d)", "- user uid"),
    Rule("klogind_failed", "klogind[%d]: Authentication failed from %s (%s): %s", "- ip - reason", "ip"),
    Rule("klogind_kerberos", "klogind[%d]: Kerberos authentication failed", "-"),
    Rule("apache_index", "[error] [client %s] Directory index forbidden by rule: %s", "ip path", "ip"),
    Rule("apache_init", "[error] mod_jk child init %d %d", "child code"),
    # For these there is no line in any of the logs.
    Rule("dropbear_password", "dropbear[%d]: Bad password attempt for '%s' from %s:%d", "- user ip -", "ip"),
    Rule("postfix_sasl", "postfix/smtpd[%d]: warning: %s[%s]: SASL LOGIN authentication failed: %s", "- - ip reason", "ip"),
    Rule("named_denied", "named[%d]: client %s#%d: query (cache) '%s' denied", "- ip - query", "ip"),
)

_BY_USER = {  # by kind of log: a rule that recognises one line in a thousand for each of the hundred common users
    "OpenSSH": ("sshd[%d]: Failed password for {} from %s port %d ssh2", "- ip -", "ip"),
    "Linux": (f"sshd(pam_unix)[%d]: {_OLD_PAM}  user={{}}", "- - - rhost:host", "rhost"),
}
_MESSAGES = (
    ("{}[%d]: login failed for user %s from %s", "- user ip", "ip"),
    ("{}[%d]: authentication error for {} %s from %s:%d", "- user ip -", "ip"),
    ("{}[%d]: {} %s rejected by policy: %s [%s]", "- who:word reason ip", "ip"),
    ("{}[%d]: too many failed attempts for {} '%s', client %s", "- user ip", "ip"),
    ("{}: refused {} from %s port %d", "ip port", "ip"),
    ("{}[%d]: {} %s is down after %d seconds", "- what seconds", ""),
    ("{}: user %s: {} denied", "user", ""),
)
_PROGRAMS = """asterisk courier cyrus dhcpd dovecot exim freeradius gitea grafana haproxy icecast influxd jabberd kamailio
keepalived lighttpd mosquitto murmurd mysqld netatalk nsd openvpn perdition pluto portsentry postgres proftpd prosody
pureftpd rabbitmq roundcube rpcbind saslauthd sendmail slapd smbd snort solr squid stunnel tftpd tinyproxy unbound varnish
vsftpd webmin wuftpd xrdp zebra zoneminder""".split()
_THINGS = "session tunnel mailbox token relay transfer request peer handshake certificate extension channel query share".split()


def thousand(rules: Sequence[Rule], kind: str, seed: int, total: int = 1000) -> tuple[Rule, ...]:
    """The rules among others like them, in random order; the names of the real ones stay.

    Of the others one hundred recognise a line in a thousand each, two hundred begin as a real rule does but go on
    differently, and the rest are about programs that do not occur.
    """
    chance = random.Random(seed)
    pattern, fields, key = _BY_USER.get(kind, _BY_USER["OpenSSH"])
    others = [Rule(f"user_{user}", pattern.format(user), fields, key) for user in COMMON_USERS]
    others += [_like(chance.choice(rules), number, chance) for number in range(200)]
    while len(others) < total - len(rules):
        pattern, fields, key = chance.choice(_MESSAGES)
        program = f"{chance.choice(_PROGRAMS)}{chance.randrange(100)}"
        others.append(Rule(f"other_{len(others)}", pattern.format(program, chance.choice(_THINGS)), fields, key))
    mixed = [*rules, *others[: total - len(rules)]]
    chance.shuffle(mixed)
    return tuple(mixed)


def _like(rule: Rule, number: int, chance: random.Random) -> Rule:
    """A rule that begins like this one and recognises none of its lines."""
    texts, fields = rule.texts, rule.fields.split()
    keep = chance.randint(1, len(fields))  # conversions
    begin = "".join(f"{text}%{found.letter}" for text, found in zip(texts[:keep], rule.conversions[:keep], strict=True))
    begin += texts[keep].rpartition(" ")[0]
    key = "ip" if "ip" in fields[:keep] else ""
    return Rule(f"like_{number}", f"{begin} {chance.choice(_THINGS)} {number} of %s", " ".join([*fields[:keep], "more"]), key)


# logtrigger


def for_logtrigger(rules: Iterable[Rule], state: str, log: str) -> str:
    """A configuration, with a sample line for each rule as the rules that come with logtrigger have it."""
    sections = [
        f"config logtrigger\n\toption state '{state}'\n",
        f"config defaults\n\toption maxfail '{MAXFAIL}'\n\toption time '{TIME}'\n"
        f"\toption file '{log}'\n\toption script '/usr/bin/true'\n",
    ]
    for rule in rules:
        options = [f"option name '{rule.name}'"]
        options += [f"option program '{rule.program}'"] if rule.program else []
        options += [f"option pattern {_quoted(rule.pattern)}", f"option fields '{rule.fields}'"]
        options += [f"option key '{rule.key or 'none'}'", f"list expect {_quoted(rule.sample())}"]
        sections.append("config rule\n" + "".join(f"\t{option}\n" for option in options))
    return "\n".join(sections)


def _quoted(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"


# Regular expressions


def expression(rule: Rule, key: Callable[[str], str] = "({})".format) -> str:
    """The pattern as a regular expression that reaches the line's end.

    `key` is given the expression of the field that is counted by, and says how it stands in the whole.
    """
    conversions, texts = rule.conversions, rule.texts
    last_address = max((i for i, found in enumerate(conversions) if found.kind in ("ip", "host")), default=-1)
    parts = []
    for i, (text, found) in enumerate(zip(texts, conversions, strict=False)):
        plain = found.expression(greedy=i < last_address or (i == len(conversions) - 1 and not texts[-1]))
        parts += [_escaped(text), key(plain) if rule.key and found.field == rule.key else plain]
    parts.append(_escaped(texts[-1]))
    return "".join(parts) + r"\s*$"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text)


def for_grep(rules: Iterable[Rule]) -> str:
    """One extended regular expression of all rules as alternatives."""
    return "|".join(expression(rule, "{}".format).replace(".+?", ".+") for rule in rules)


def for_sec(rules: Sequence[Rule], *, counting: bool, by_program: bool) -> dict[str, str]:
    """Rule files by name. With `counting` a rule writes its name and key at a key's fifth line, otherwise at every line.

    With `by_program` a line is shown to the rules of its program only, as sec(1) advises for many rules (Jump, procallin=no).
    """
    if not by_program:
        return {"rules": "\n".join(_sec_rule(rule, counting) for rule in rules)}
    sets: dict[str, list[Rule]] = {}
    for rule in rules:
        sets.setdefault(rule.program, []).append(rule)
    others = sets.pop("", [])
    files = {}
    jumps = []
    for number, (program, members) in enumerate(sets.items()):
        jumps.append(f"type=Jump\nptype=RegExp\npattern= {_escaped(program)}\\[[0-9]+\\]: \ncfset=set{number}\n")
        options = f"type=Options\njoincfset=set{number}\nprocallin=no\n"
        files[f"set{number}"] = "\n".join([options, *(_sec_rule(rule, counting) for rule in members)])
    files["main"] = "\n".join([*jumps, *(_sec_rule(rule, counting) for rule in others)])
    return files


def _sec_rule(rule: Rule, counting: bool) -> str:
    description = f"{rule.name} $1" if rule.key else rule.name
    lines = ["type=SingleWithThreshold" if counting else "type=Single", "ptype=RegExp", f"pattern={expression(rule)}"]
    lines += [f"desc={description}", "action=write - %s"]
    lines += [f"window={TIME}", f"thresh={MAXFAIL}"] if counting else []
    return "\n".join(lines) + "\n"


def for_fail2ban(rules: Iterable[Rule], datepattern: str) -> str:
    """A filter. It sees the line without its time; what is not counted by address is counted by <F-ID>."""
    expressions = "\n            ".join(_fail2ban_expression(rule) for rule in rules)
    return f"[Definition]\ndatepattern = {datepattern}\nfailregex = {expressions}\n"


def _fail2ban_expression(rule: Rule) -> str:
    def key(plain: str) -> str:
        return "<ADDR>" if plain == _ADDRESS else f"<F-ID>{plain}</F-ID>"

    whole = expression(rule, key)
    if not rule.key:  # a constant text, for one counter
        text = max((_escaped(t.removeprefix("]: ")) for t in rule.texts), key=len)
        whole = whole.replace(text, f"<F-ID>{text}</F-ID>", 1)
    return (r"^\s*\S+ " if rule.program else r"^\s*") + whole.replace("%", "%%")
