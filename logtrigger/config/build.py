"""A configuration file to settings: read, merge, compile, settle; every mistake on the way is collected."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from logtrigger.addresses import AddressSet
from logtrigger.config import (
    actions,
    databases,
    files,
    firewall,
    kinds,
    merge,
    options,
    relations,
    rules,
    samples,
    sources,
    widening,
)
from logtrigger.config.merge import Draft
from logtrigger.config.places import default_control, default_state
from logtrigger.config.relations import Built
from logtrigger.config.uci import Option, Section
from logtrigger.config.words import Report
from logtrigger.errors import Complaint, ConfigError, Place
from logtrigger.rule import ActionOptions, Settings

if TYPE_CHECKING:
    from logtrigger.ecs.mapping import Mapping as Datasets

DEFAULT_PATH = Path("/etc/config/logtrigger")


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration that can be used, and where it all came from.

    `complaints` are warnings, and errors of rules whose samples failed: those rules are not among the settings' rules.
    """

    settings: Settings
    complaints: tuple[Complaint, ...]
    origins: Mapping[str, Mapping[str, Option]]  # rule -> option -> its values with their places; rules not enabled too
    built: tuple[Built, ...] = ()  # the rules as they were made; those not enabled too
    failed: Mapping[str, Complaint] = field(default_factory=dict)  # rule -> the first of its samples that failed
    datasets: Datasets | None = None  # those that the configuration itself has
    ignored: Mapping[str, Place] = field(default_factory=dict)  # entries of the ignore list -> where each stands


def read(path: Path, *, trust: bool = False, keep: bool = False) -> Configuration:
    """Read and check a configuration file and all it includes.

    Args:
        path: the file.
        trust: samples that passed at an earlier start, of a rule that has not changed since, are not tried again.
        keep: note beside the state which rules' samples passed.

    Raises:
        ConfigError: it has mistakes; `complaints` holds every one and the warnings, sorted by place.
        Unreadable: the file itself cannot be read.
    """
    report = Report()
    sections = _sections(path, report)
    scripts = rules.Scripts()
    built = [_build(draft, report, scripts) for draft in merge.drafts(sections, report)]
    running = relations.settle(built, report)
    asking = relations.check_uses(built, running, str(path), report)
    named = sources.settle(sections, report)
    acting = actions.settle(sections, report)
    sources.check_rules(built, running, named, actions.feeding(acting), report)
    own = merge.together("logtrigger", sections, report)
    daemon = options.read(options.DaemonOptions, own, report)
    notices = {"start": daemon.on_start, "stop": daemon.on_stop, "ban": daemon.on_ban, "unban": daemon.on_unban}
    notices["rule_silent"] = daemon.on_rule_silent
    told = [(own[f"on_{event}"].place, name) for event, names in notices.items() for name in names]
    used = actions.use([one for one in built if one.options.enabled], acting, told, report)
    datasets, used, doubtful = _documents(sections, used, daemon.geoip, report, trust=trust)
    _check_metrics(own, report)
    state = daemon.state or default_state()
    _check_files({"state": daemon.state, "control": daemon.control, "state_copy": daemon.state_copy}, own, report)
    if daemon.state_copy == state:
        report.error(own["state_copy"].place, "'state_copy' is the store itself", "name a file on a medium that lasts")
    blocking = firewall.settle(sections, report)
    firewall.check_ignoring(own, daemon, report)
    databases.check(own.get("geoip"), own.get("home_country"), daemon, asking, report, trust=trust)
    if report.errors:
        raise ConfigError(sorted(report.errors + report.warnings))
    passed = samples.Passed(state.with_name(f"{state.name}.samples")) if trust else None
    failed = samples.failures(built, running, passed)
    if passed is not None and keep:
        passed.keep()
    off = {name for name, _ in failed}
    settings = Settings(
        path=path,
        rules=widening.with_wide(rule for rule in running if rule.name not in off),
        state=state,
        state_copy=daemon.state_copy,
        ignore=AddressSet(text for text in daemon.ignore if not kinds.is_host_name(text)),
        ignore_names=tuple(dict.fromkeys(text for text in daemon.ignore if kinds.is_host_name(text))),
        ignore_files=daemon.ignore_file,
        ignore_command=daemon.ignore_command or (),
        script_timeout=daemon.script_timeout,
        script_parallel=daemon.script_parallel,
        max_keys=daemon.max_keys,
        max_line=daemon.max_line,
        late=daemon.late,
        actions=used,
        notices={event: tuple(dict.fromkeys(names)) for event, names in notices.items()},
        geoip=daemon.geoip,
        home=frozenset(daemon.home_country),
        sources=tuple(one.options for one in named.values() if one.options is not None),
        firewall=blocking,
        control=daemon.control or default_control(daemon.state),
        control_group=daemon.control_group or "",
        metrics=daemon.metrics,
    )
    complaints = tuple(sorted({*report.warnings, *doubtful, *(complaint for _, complaint in failed)}))
    origins = {one.options.name: one.draft.given for one in built}
    ignored = {word: value.place for value in (own["ignore"].values if "ignore" in own else ()) for word in value.text.split()}
    return Configuration(settings, complaints, origins, tuple(built), dict(reversed(failed)), datasets, ignored)


def load(path: Path, *, keep: bool = False) -> tuple[Settings, tuple[Complaint, ...]]:
    """The settings of a configuration file, and what is to be said of it all the same; raises as `read` does.

    What is known of its samples is trusted; with `keep`, what is found out now is kept for the next start.
    """
    configuration = read(path, trust=True, keep=keep)
    return configuration.settings, configuration.complaints


def control_sockets(path: Path) -> tuple[Path, ...]:
    """Where a daemon with this configuration may serve its control socket, whatever else is wrong with the file.

    Where nothing is set that is our own default and root's, since the daemon may be root's.

    Raises:
        Unreadable: the file cannot be read.
    """
    report = Report()
    sections = [section for section in files.read_all(path, report) if section.type == "logtrigger"]
    daemon = options.read(options.DaemonOptions, merge.together("logtrigger", sections, report), report)
    if daemon.control:
        return (daemon.control,)
    return tuple(dict.fromkeys([default_control(daemon.state), default_control(daemon.state, 0)]))


def _check_metrics(own: Mapping[str, Option], report: Report) -> None:
    if "metrics" in own and find_spec("prometheus_client") is None:
        report.error(own["metrics"].place, "'metrics' needs the package prometheus-client", "pip install prometheus-client")


def _check_files(found: Mapping[str, Path | None], own: Mapping[str, Option], report: Report) -> None:
    for name, path in found.items():
        if path is not None and os.path.isdir(path):
            report.error(own[name].place, f"'{name}' is a folder: {path}", "name a file in it")


def _sections(path: Path, report: Report) -> list[Section]:
    """All sections of a known type. Values are read once as they stand, for those that an override hides."""
    sections = files.read_all(path, report)
    for section in sections:
        options.check_names(section, report)
        for name, given in section.options.items():
            if spec := options.SECTIONS.get(section.type, {}).get(name):
                options.read_option(spec, given, report)
    return [section for section in sections if section.type in options.SECTIONS]


def _documents(
    sections: list[Section], used: tuple[ActionOptions, ...], geoip: tuple[Path, ...], report: Report, *, trust: bool
) -> tuple[Datasets | None, tuple[ActionOptions, ...], list[Complaint]]:
    """The datasets, the actions with those they take, and events whose samples fail; loaded where there are some only."""
    if not any(section.type in ("dataset", "event") for section in sections) and not any(a.type == "ecs" for a in used):
        return None, used, []
    from logtrigger.config import ecs

    datasets = ecs.settle(sections, report)
    return datasets, ecs.equip(used, datasets, geoip, report), [] if trust else ecs.sample_failures(sections, datasets)


def _build(draft: Draft, report: Report, scripts: rules.Scripts) -> Built:
    read = options.read(options.RuleOptions, draft.given, report, draft.place)
    return Built(draft, read, rules.compile_rule(draft, read, report, scripts))
