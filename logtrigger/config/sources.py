"""`config source`: each section to the options of one source, and what rules and sources say of each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from logtrigger.addresses import AddressSet
from logtrigger.config import trust
from logtrigger.config.options import SOURCE, SourceTable, read
from logtrigger.config.relations import Built
from logtrigger.config.uci import Section, Value
from logtrigger.config.words import Report, listed, shown, suggestion
from logtrigger.errors import Place
from logtrigger.rule import BANS, FED, Rule, SourceOptions

KINDS = ("file", "command", "stdin", "journal", "logread", "listen")
# Option -> the kinds of source it belongs to.
_HOMES = {
    "from": ("file", "journal", "logread"),
    "rotated": ("file",),
    "unit": ("journal",),
    "match": ("journal",),
    **dict.fromkeys(
        "allow write certificate certificate_key authority peer_name max_connections idle".split(),
        ("listen",),
    ),
}
_TLS = ("certificate", "certificate_key", "authority", "peer_name")
_BLIND = ("file", "command", "stdin", "logread")  # kinds that cannot tell who wrote a line


@dataclass(frozen=True, slots=True)
class Named:
    """A `config source` that has a name: what it came to, or None where the report says why it came to nothing."""

    section: Section
    options: SourceOptions | None

    @property
    def kind(self) -> str:
        """Where its lines come from, if it says just one place."""
        given = _kinds(self.section)
        return given[0] if len(given) == 1 else ""


def settle(sections: Iterable[Section], report: Report) -> dict[str, Named]:
    """All sources by name, in the order of the configuration."""
    named: dict[str, Named] = {}
    for section in sections:
        if section.type != "source":
            continue
        if not section.name:
            report.error(section.place, "the source has no name", "write: config source 'NAME'")
        elif section.name == BANS:
            remedy = "choose another name: rules read of bans under this one"
            report.error(section.place, f"a source cannot be called '{BANS}'", remedy)
        elif section.name in named:
            first = named[section.name].section.place
            report.error(section.place, f"a source is called '{section.name}' at {first} already", "choose another name")
        else:
            named[section.name] = Named(section, None)
        made = _source(section, report)
        if section.name in named and named[section.name].section is section:
            named[section.name] = Named(section, made)
    _check_stdin(named.values(), report)
    return named


def _check_stdin(sources: Iterable[Named], report: Report) -> None:
    """What one source has read another never sees."""
    readers = [one.section for one in sources if one.options is not None and one.options.stdin]
    for section in readers[1:]:
        fault = f"standard input is read by source '{readers[0].name}' at {readers[0].place} already"
        report.error(section.options["stdin"].place, fault, f"write option source '{readers[0].name}' into the rules")


def check_rules(
    rules: Sequence[Built], running: Sequence[Rule], sources: Mapping[str, Named], fed: Mapping[str, bool], report: Report
) -> None:
    """Report rules that name no source there is or cannot work with it, and sources that nobody uses.

    `fed` tells of the name of each action, as a source has it, whether it feeds its output back.
    """
    for built in rules:
        _check_rule(built, sources, fed, report)
    used = {rule.source for rule in running}
    for name, one in sources.items():
        if name not in used and one.options is not None and not one.options.write:
            remedy = f"write option source '{name}' into a rule, or remove the section"
            report.warning(one.section.place, f"no rule reads the source '{name}'", remedy)


def _check_rule(built: Built, sources: Mapping[str, Named], fed: Mapping[str, bool], report: Report) -> None:
    name, place = built.options.source, built.place("source")
    if name is not None and built.options.file is not None:
        report.error(place, "the rule has 'file' and 'source'", "write one of them")
    elif name is not None and name.startswith(FED):
        _check_fed(name, place, fed, report)
    elif name is not None and name not in sources and name != BANS:
        remedy = suggestion(name, sources) or f"write: config source '{name}', and below it where its lines come from"
        report.error(place, f"'source': no source is called '{name}'", remedy)
    if built.options.sender:
        _check_sender(built, sources.get(name or ""), report)


def _check_fed(name: str, place: Place, fed: Mapping[str, bool], report: Report) -> None:
    action = name.removeprefix(FED)
    if name not in fed:
        remedy = suggestion(name, fed) or f"write: config action '{action}', and below it type 'script' and feed '1'"
        report.error(place, f"'source': no action is called '{action}'", remedy)
    elif not fed[name]:
        remedy = "an action of type script does, with option feed '1'"
        report.error(place, f"'source': the action '{action}' feeds nothing back", remedy)


def _check_sender(built: Built, source: Named | None, report: Report) -> None:
    """Who wrote a line is known from the journal and from sockets of this machine alone."""
    network = [value.text for value in _given(source.section, "listen") if not value.text.startswith("unix:")] if source else []
    if built.options.file is not None:
        where = "a file does"
    elif (built.options.source or "").startswith(FED):
        where = "an action does"
    elif built.options.source == BANS:
        where = "a line about a ban does"
    elif source is not None and source.kind in _BLIND:
        where = f"source '{source.section.name}' does"
    elif network:
        where = f"a sender on the network ({network[0]}) does"
    else:
        return
    remedy = "read a source with journal '1' or listen 'unix:/dev/log', or use option program"
    report.error(built.place("sender"), f"'sender': {where} not tell which user wrote a line", remedy)


def _source(section: Section, report: Report) -> SourceOptions | None:
    """What one section comes to, named or not."""
    table = read(SourceTable, {n: o for n, o in section.options.items() if n in SOURCE}, report)
    kinds = _kinds(section)
    if len(kinds) != 1:
        fault = f"the source has {listed(map(repr, kinds))}" if kinds else "the source does not say where its lines come from"
        report.error(section.place, fault, f"write one of {listed(KINDS, 'or')}")
        return None
    _check_options(section, kinds[0], report)
    if kinds[0] == "listen":
        _check_listen(section, table, report)
    if table.command:
        _check_command(table.command, section.options["command"].place, report)
    return SourceOptions(
        name=section.name,
        place=section.place,
        file=table.file,
        command=table.command or (),
        journal=table.journal,
        units=table.unit,
        matches=table.match,
        logread=table.logread,
        stdin=table.stdin,
        listen=tuple(value.text for value in table.listen),
        from_start=table.from_,
        rotated=table.rotated,
        allow=AddressSet(table.allow),
        write=table.write.text if table.write else "",
        certificate=table.certificate,
        certificate_key=table.certificate_key,
        authority=table.authority,
        peer_names=table.peer_name,
        max_connections=table.max_connections,
        idle=table.idle,
    )


def _kinds(section: Section) -> list[str]:
    """The options given that say where lines come from; a flag that is off says nothing."""
    off = {"0", "no", "off", "false", "disabled"}
    flags = {"stdin", "journal", "logread"}
    given = [kind for kind in KINDS if kind in section.options]
    return [kind for kind in given if kind not in flags or section.options[kind].values[0].text not in off]


def _given(section: Section, name: str) -> tuple[Value, ...]:
    return section.options[name].values if name in section.options else ()


def _check_options(section: Section, kind: str, report: Report) -> None:
    for name, given in section.options.items():
        homes = _HOMES.get(name, (kind,))
        if kind not in homes:
            remedy = f"it belongs to a source with {listed(map(repr, homes), 'or')}"
            report.error(given.place, f"'{name}' says nothing of a source with '{kind}'", remedy)


def _check_command(command: Sequence[str], place: Place, report: Report) -> None:
    """It must be there, and nobody else may be able to change it."""
    import shutil  # loaded where it is needed: milliseconds at a start

    found = shutil.which(command[0])
    if found is None:
        report.error(place, f"'command': there is no program {shown(command[0])}", "install it, or correct the path")
        return
    for fault, remedy in trust.script_doubts(Path(found)):
        report.error(place, f"'command': {fault}", remedy)


# --- receivers ---


def _check_listen(section: Section, table: SourceTable, report: Report) -> None:
    from logtrigger.sources.receiver.addresses import needs_allow, parse_listen

    found = []
    for value in table.listen:
        try:
            found.append((value, parse_listen(value.text)))
        except ValueError as error:
            report.error(value.place, f"'listen' cannot be {shown(value.text)}", str(error))
    for value, address in found:
        if needs_allow(address) and not table.allow:
            remedy = "add: list allow 'ADDRESS or PREFIX' for each sender"
            report.error(value.place, f"'listen': others than this machine reach {address}, and all may send", remedy)
    kinds = {address.kind for _, address in found}
    if found and len(found) == len(table.listen):
        _check_homes(section, kinds, report)
        if "tls" in kinds:
            _check_tls(section, table, report)
    if table.write is not None:
        _check_write(table.write, report)


def _check_homes(section: Section, kinds: set[str], report: Report) -> None:
    """Options of a receiver that no address of it makes use of."""
    for name in section.options:
        if name in _TLS and "tls" not in kinds:
            report.error(section.options[name].place, f"'{name}' is for tls alone", "listen at tls:ADDRESS:PORT, or remove it")
        elif name == "allow" and kinds == {"unix"}:
            report.error(section.options[name].place, "'allow' is for the network alone", "remove it")


def _check_tls(section: Section, table: SourceTable, report: Report) -> None:
    """The certificate as the receiver will load it; nobody but root and us may have written any of the files."""
    if table.certificate is None or table.certificate_key is None:
        report.error(section.place, "tls needs a certificate and its key", "add option certificate and option certificate_key")
        return
    if table.peer_name and table.authority is None:
        remedy = "add option authority: names in certificates count where somebody has signed them"
        report.error(section.options["peer_name"].place, "'peer_name' needs an authority", remedy)
    for name, path in {
        "certificate": table.certificate,
        "certificate_key": table.certificate_key,
        "authority": table.authority,
    }.items():
        if path is not None:
            _check_file(name, path, section.options[name].place, report)
    if not report.errors:
        _load(table.certificate, table.certificate_key, table.authority, section, report)


def _check_file(name: str, path: Path, place: Place, report: Report) -> None:
    try:
        status = path.stat()
    except OSError as error:
        report.error(place, f"'{name}': {path} cannot be read: {error.strerror}", "correct the path")
        return
    for fault, remedy in trust.doubts(path, status):
        report.error(place, f"'{name}': {fault}", remedy)
    if name == "certificate_key" and status.st_mode & 0o077:  # as the receiver itself wants it
        report.error(place, f"'{name}': {path} is open to others", f"chmod 600 {path}")


def _load(certificate: Path, key: Path, authority: Path | None, section: Section, report: Report) -> None:
    import ssl  # some megabytes that only receivers need

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        remedy = "give both in PEM, the key without a password"
        report.error(section.options["certificate"].place, f"'certificate' and 'certificate_key' do not fit: {error}", remedy)
    try:
        if authority is not None:
            context.load_verify_locations(authority)
    except (OSError, ValueError) as error:
        report.error(section.options["authority"].place, f"'authority' holds no certificates: {error}", "give them in PEM")


def _no_password() -> str:
    raise ValueError("the key has a password")


def _check_write(value: Value, report: Report) -> None:
    from logtrigger.logfiles import Template

    try:
        Template(value.text)
    except ValueError as error:
        report.error(value.place, f"'write' cannot be {shown(value.text)}", str(error))
