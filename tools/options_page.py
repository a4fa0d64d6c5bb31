"""docs/options.md, made from the tables that the program reads a configuration with.

python -m tools.options_page          writes it
python -m tools.options_page --print  to standard output
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from logtrigger.config import options
from logtrigger.config.options import Spec, table

PAGE = Path(__file__).parents[1] / "docs/options.md"

INTRODUCTION = """\
# Every option

<!-- Made by `make docs` from logtrigger/config/options.py; what is changed here is lost. -->

The sections of a configuration and all they may hold, a line each; [kinds of values](#kinds-of-values) are at the end. How a
configuration is written, and what each option means at length, is in [logtrigger(5)](../man/logtrigger.5); the pages of
[docs](README.md) show them at work. `logtrigger rules NAME` shows what each option of a rule is in the running daemon, and
where that was written.
"""

# How each kind of value is written, by its name.
KINDS: Mapping[str, str] = {
    "absolute path": "a path that begins with `/`; where several files may be meant, a glob such as `/srv/*/log`",
    "alert or heartbeat": "`alert` or `heartbeat`",
    "all or rule": "`all` or `rule`",
    "drop or reject": "`drop` or `reject`",
    "duration": "a whole number of seconds, or one with `s`, `m`, `h` or `d` behind it: `90`, `10m`, `2h`, `7d`",
    "duration, 0 or no": "a duration; `0` is for ever, `no` is not at all",
    "end or start": "`end` or `start`",
    "facility of syslog": "`auth`, `daemon`, `local0` and so on",
    "flag": "`1` or `0`; also `yes` and `no`, `on` and `off`, `true` and `false`",
    "kind of action": "one of the types below",
    "kind of firewall": "`auto`, `nftables`, `iptables`, `script` or `null`",
    "length of a prefix": "a number of bits: from 8 to 32 for IPv4, from 32 to 128 for IPv6",
    "list": "any text; what it may be is said in [logtrigger(5)](../man/logtrigger.5)",
    "list of FIELD=value": "such as `_COMM=sshd`",
    "list of NAME: text": "such as `X-Room: 7`",
    "list of NAME=text with fields": "such as `user={user}`",
    "list of NAME=value": "such as `MAIL_TO=root`",
    "list of PREFIX/NUMBER": "such as `24/5 16/20`",
    "list of absolute paths": "paths or globs that begin with `/`",
    "list of addresses": "addresses and prefixes, `192.0.2.7` or `2001:db8::/32`, separated by blanks",
    "list of addresses and names": "the same, and names of hosts with their domain",
    "list of countries": "two letters each: `FI SE`",
    "list of hooks": "of `prerouting`, `input` and `forward`",
    "list of mail addresses": "such as `admin@example.org`",
    "list of names": "words, separated by blanks",
    "list of paths": "paths; a relative one counts from the folder of the file it is written in",
    "list of ports": "numbers from 1 to 65535, separated by blanks",
    "list of texts with fields": "texts with fields",
    "list of users": "users, or `user:process`, such as `root:sshd`",
    "loopback address and port": "such as `127.0.0.1:9273`, or a port alone",
    "mail address": "such as `logtrigger@example.org`",
    "method of HTTP": "`POST`, `PUT` or `PATCH`",
    "name": "letters, digits, any of `_ . : @ -`, and single blanks",
    "name of a section": "letters, digits and underscores",
    "name of a source": "the name of a section, or `action:` and the name of one",
    "name of an index": "as Elasticsearch takes it: small letters, digits and `-`",
    "name or address of a host": "such as `mail.example.org`, `192.0.2.7` or `2001:db8::7`",
    "names": "words, separated by blanks",
    "number": "a number",
    "part or duration": "a part such as `10%`, or a duration",
    "path": "a path; a relative one counts from the folder of the file it is written in",
    "path with fields": "a path with fields in braces, `/var/log/{name}-{year}.log`",
    "port": "a number from 1 to 65535",
    "program and arguments": "quoted as in a shell, which is not run",
    "restore or forget": "`restore` or `forget`",
    "size": "a number of bytes, or one with `k` or `M` behind it: `64k`",
    "tcp or udp": "`tcp` or `udp`",
    "text": "any text",
    "text with fields": "text with fields in braces, `{user} from {ip}`",
    "tls, starttls or none": "`tls`, `starttls` or `none`",
    "udp, tcp or tls": "`udp`, `tcp` or `tls`",
    "URL": "such as `https://example.org/hook`",
    "whole number": "from -9999 to 9999",
    "word": "a word",
}

# Section -> its table's class, whose docstring says what it is for.
TABLES: Mapping[str, type[Any]] = {
    "logtrigger": options.DaemonOptions,
    "rule": options.RuleOptions,
    "override": options.OverrideOptions,
    "source": options.SourceTable,
    "firewall": options.FirewallTable,
    "action": options.ActionTable,
    "dataset": options.DatasetTable,
    "event": options.EventTable,
}


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, *(_section(name) for name in options.SECTIONS), _kinds()]
    return "\n".join(parts)


def _section(name: str) -> str:
    if name == "defaults":
        return _defaults()
    lines = [f"## config {name}", "", _purpose(TABLES[name]), "", *_table(table(TABLES[name]))]
    if name == "override":
        lines += ["", f"And any option of [config rule](#config-rule) but {_quoted(options.NOT_IN_OVERRIDE)}."]
    if name == "action":
        for kind, of in options.ACTIONS.items():
            lines += ["", f"### type {kind}", "", _purpose(of), "", *_table(table(of))]
    return "\n".join(lines) + "\n"


def _defaults() -> str:
    return (
        "## config defaults\n\n"
        "What holds for every rule that does not say otherwise: any option of [config rule](#config-rule) but\n"
        f"{_quoted(options.NOT_IN_DEFAULTS)}.\n"
    )


def _purpose(of: type[Any]) -> str:
    """The table's docstring, without the section's name, which the heading has."""
    text = (of.__doc__ or "").strip().split("\n")[0]
    said = text.partition(": ")[2] if text.startswith("`config ") and ": " in text else ""
    return f"{said[0].upper()}{said[1:]}" if said else text


def _table(specs: Mapping[str, Spec]) -> Iterator[str]:
    yield "| option | kind | by default | what it says |"
    yield "|---|---|---|---|"
    for name, spec in specs.items():
        default = "**required**" if spec.required else f"`{_cell(spec.default)}`" if spec.default else ""
        yield f"| `{name}` | {spec.kind.name} | {default} | {_cell(spec.help)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _quoted(names: Mapping[str, str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _kinds() -> str:
    used = {
        spec.kind.name
        for specs in (*options.SECTIONS.values(), *map(table, options.ACTIONS.values()))
        for spec in specs.values()
    }
    assert used <= KINDS.keys(), (
        f"say in KINDS, {__file__}, how a value of the kind {', '.join(used - KINDS.keys())} is written"
    )
    rows = [f"| {name} | {KINDS[name]} |" for name in sorted(used, key=str.lower)]
    return "\n".join(
        [
            "## Kinds of values",
            "",
            "Of a list several may be given, as `list` lines; one `option` is a list of one.",
            "",
            "| kind | how it is written |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def main() -> None:
    if "--print" in sys.argv[1:]:
        print(page(), end="")
    else:
        PAGE.write_text(page())


if __name__ == "__main__":
    main()
