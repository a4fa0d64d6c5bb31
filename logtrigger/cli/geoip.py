"""`logtrigger geoip`: where an address is."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path

import click

from logtrigger import config
from logtrigger.config import DEFAULT_PATH
from logtrigger.errors import ConfigError
from logtrigger.geoip import GeoIP
from logtrigger.patterns.types import canonical_ip
from logtrigger.places import FIELDS
from logtrigger.text import safe_text

_UNKNOWN, _ERROR = 1, 2


@click.command(short_help="where an address is")
@click.argument("addresses", nargs=-1, required=True, metavar="IP…")
@click.option("-c", "path", type=click.Path(path_type=Path), metavar="FILE", help=f"The configuration [{DEFAULT_PATH}].")
@click.option(
    "-d",
    "--database",
    "databases",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Ask this database instead of those of the configuration; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object an address.")
@click.pass_context
def geoip(
    context: click.Context, addresses: Sequence[str], path: Path | None, databases: Sequence[Path], as_json: bool
) -> None:
    """Look addresses up in the databases of `list geoip`, as rules see them.

    \b
    logtrigger geoip 192.0.2.7
    logtrigger geoip -d GeoLite2-City.mmdb 192.0.2.7 2001:db8::7

    The exit status is 1 where nothing is known of an address, and 2 where a database cannot be read or one of them is no
    address; the others are looked up all the same.
    """
    home: Collection[str] = ()
    if not databases:
        databases, home = _configured(context, path or context.obj or DEFAULT_PATH)
    faults: list[str] = []
    geo = GeoIP(databases, lambda _, text: faults.append(text), home)
    _tell(context, faults)
    unknown = wrong = False
    for text in addresses:
        address = canonical_ip(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
        if not _is_address(address):
            click.echo(f"'{safe_text(text)}' is no address; write one such as 192.0.2.7 or 2001:db8::1", err=True)
            wrong = True
            continue
        found = geo.look(address)
        _tell(context, faults)
        unknown |= not found
        if as_json:
            click.echo(json.dumps({"ip": address, **found}))
        else:
            said = ", ".join(f"{name} {safe_text(found[name])}" for name in FIELDS if name in found)
            click.echo(f"{address}: {said or 'not known'}")
    context.exit(_ERROR if wrong else _UNKNOWN if unknown else 0)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _configured(context: click.Context, path: Path) -> tuple[tuple[Path, ...], frozenset[str]]:
    """The databases, and the countries that are expected."""
    try:
        settings = config.load(path)[0]
    except ConfigError as error:
        click.echo(error, err=True)
        context.exit(_ERROR)
    if not settings.geoip:
        click.echo(f"{path}: there is no database; write list geoip FILE into 'config logtrigger', or use -d FILE", err=True)
        context.exit(_ERROR)
    return settings.geoip, settings.home


def _tell(context: click.Context, faults: Sequence[str]) -> None:
    """End where a database cannot be read; what the daemon would do meanwhile is of no use here."""
    for text in faults:
        click.echo(
            re.sub("; (?:addresses have no place until it can be read|until then some addresses .*)$", "", text), err=True
        )
    if faults:
        context.exit(_ERROR)
