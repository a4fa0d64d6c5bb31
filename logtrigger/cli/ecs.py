"""`logtrigger ecs`: the lines of logs as documents of the Elastic Common Schema."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import IO

import click

from logtrigger import places
from logtrigger.cli import complete, print_no_more
from logtrigger.config import DEFAULT_PATH, build, ecssamples, options, uci
from logtrigger.config import ecs as ecs_config
from logtrigger.config.words import Report, listed, suggestion
from logtrigger.ecs.mapping import Mapping
from logtrigger.ecs.normaliser import Normaliser
from logtrigger.errors import Complaint, ConfigError
from logtrigger.matchers import fastest
from logtrigger.sources.lines import Lines
from logtrigger.text import safe

_ERROR = 2
_READ = 1 << 18  # bytes
_MAX_LINE = 1 << 20  # bytes


@click.command("ecs", short_help="logs as documents of the Elastic Common Schema")
@click.argument("logs", nargs=-1, type=click.Path(allow_dash=True), metavar="[LOG…|-]")
@click.option("-c", "path", type=click.Path(path_type=Path), metavar="FILE", help=f"The configuration [{DEFAULT_PATH}].")
@click.option(
    "--dataset",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=complete.datasets,
    help="Only this dataset; may be repeated. [by the program of a line]",
)
@click.option(
    "--mapping",
    "mappings",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Datasets and events in this file, besides those there are; may be repeated.",
)
@click.option("--only-known", is_flag=True, help="Leave out lines that are no event of a dataset.")
@click.pass_context
def ecs(
    context: click.Context,
    logs: Sequence[str],
    path: Path | None,
    names: Sequence[str],
    mappings: Sequence[Path],
    only_known: bool,
) -> None:
    """Print the lines of logs, or of standard input, as JSON documents, one a line.

    \b
    logtrigger ecs --dataset openvpn /var/log/openvpn.log

    Each line belongs to the dataset whose program its header names. With one --dataset its messages may also stand in a file
    of their own, behind the time or alone. A line that is no event becomes a document with its time and text.

    The exit status is 2 for mistakes and logs that cannot be read, else 0.
    """
    mapping, look = _prepared(context, path or context.obj, mappings)
    for name in names:
        if name not in mapping.names:
            remedy = suggestion(name, mapping.names) or f"there are {listed(sorted(mapping.names))}"
            raise click.BadParameter(f"there is no dataset '{name}' ({remedy})", param_hint="'--dataset'")
    now = time.time()  # noqa: TID251 - the outer shell
    matchers = fastest(None, lambda _, text: click.echo(text, err=True), keep=False)
    normaliser = Normaliser(mapping.only(names), now, look, matchers, only_known=only_known)
    try:
        failed = [name for name in logs or ["-"] if not _print(normaliser, name)]
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough
        print_no_more()
        failed = []
    except OSError as error:
        print_no_more()
        click.echo(f"standard output: {error.strerror}", err=True)
        context.exit(_ERROR)
    except KeyboardInterrupt:
        failed = []
    context.exit(_ERROR if failed else 0)


def _prepared(context: click.Context, path: Path | None, mappings: Sequence[Path]) -> tuple[Mapping, places.Look]:
    """The datasets, and what tells where addresses are. The standard configuration may be missing, any other not."""
    report = Report()
    own, look = Mapping(()), places.nowhere
    try:
        if path is not None or DEFAULT_PATH.exists():
            configuration = build.read(path or DEFAULT_PATH, trust=True)
            own = configuration.datasets or own
            if configuration.settings.geoip:
                from logtrigger.geoip import GeoIP

                look = GeoIP(configuration.settings.geoip, lambda _, text: click.echo(text, err=True)).look
    except ConfigError as error:
        _fail(context, error.complaints)
    own = _with_files(context, own, mappings, report)
    every = ecs_config.with_shipped(own, report)
    if report.errors:
        _fail(context, (*report.errors, *report.warnings))
    for complaint in report.warnings:
        click.echo(complaint, err=True)
    return every, look


def _with_files(context: click.Context, own: Mapping, paths: Sequence[Path], report: Report) -> Mapping:
    """The datasets of these files, and those of the configuration that have none of their names; samples are tried."""
    sections = []
    for path in paths:
        try:
            sections += uci.parse(path.read_bytes(), str(path), report)
        except OSError as error:
            click.echo(f"{safe(os.fsencode(path))}: {error.strerror}", err=True)
            context.exit(_ERROR)
    for section in sections:
        if section.type not in ("dataset", "event"):
            report.error(section.place, f"'config {section.type}' says nothing of documents", "write config dataset or event")
        else:
            options.check_names(section, report)
    given = ecs_config.settle(sections, report)
    if not report.errors:
        for failed in ecssamples.failures(sections, given):
            report.complaints.append(failed)
    kept = tuple(dataset for dataset in own.datasets if dataset.name not in given.names)
    return Mapping((*given.datasets, *kept), f"{given.written} {own.written}")


def _fail(context: click.Context, complaints: Sequence[Complaint]) -> None:
    for complaint in sorted(complaints):
        click.echo(complaint, err=True)
    context.exit(_ERROR)


def _print(normaliser: Normaliser, name: str) -> bool:
    """Print the documents of a log; False where it cannot be read, which is told."""
    write: Callable[[str], int] = sys.stdout.write
    try:
        stream = click.open_file(name, "rb")
    except OSError as error:
        click.echo(f"{safe(os.fsencode(name))}: {error.strerror}", err=True)
        return False
    with stream:
        for data in _pieces(stream):
            if text := "\n".join(normaliser.documents(data)):
                write(text + "\n")
                sys.stdout.flush()
    return True


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """Whole lines; of one that is too long the middle is missing."""
    splitter = Lines(_MAX_LINE)
    for piece in chain.from_iterable(chain(map(splitter.feed, _blocks(stream)), map(Lines.finish, [splitter]))):
        yield piece.data


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    read = getattr(stream, "read1", stream.read)  # read1 waits for some bytes only
    return iter(lambda: read(_READ), b"")
