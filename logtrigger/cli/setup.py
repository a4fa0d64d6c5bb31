"""`logtrigger setup`: put configuration, scripts, service and manual pages where they belong, after a plain `pip install`."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from logtrigger import placing, shipped
from logtrigger.placing import Piece

_PACKAGED = "packaged"  # a file that a distribution's package adds: what has installed us, and has set everything up
_FLEETING = ("/tmp/", "/var/tmp/", "/dev/shm/")


@click.command(short_help="install configuration, scripts, service and manual pages")
@click.option(
    "--prefix",
    default="/usr/local",
    show_default=True,
    metavar="DIR",
    help="Manual pages and what completes commands go to DIR/share.",
)
@click.option("--root", type=click.Path(path_type=Path), default="/", metavar="DIR", help="For the system below DIR.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--remove", is_flag=True, help="Take away what was installed, except what was changed.")
@click.pass_context
def setup(context: click.Context, prefix: str, root: Path, dry_run: bool, remove: bool) -> None:
    """Put configuration, scripts, service and manual pages where they belong.

    For one who has installed logtrigger with pip or as logtrigger.pyz; packages of a system have done it. Whatever you
    have changed stays as it is: the new version of such a file is laid beside it, as FILE.new.

    \b
    See first what it would do:         logtrigger setup --dry-run
    After an upgrade, the same again:   logtrigger setup
    Before logtrigger is uninstalled:   logtrigger setup --remove
    """
    if (by := shipped.path(_PACKAGED)).is_file():
        raise click.ClickException(f"nothing to do: {by.read_text().strip()} has put everything in its place")
    command = program()
    try:
        if remove:
            _tell(placing.remove(root, dry_run=dry_run))
            _tell_leavings(root)
            return
        wanted = [*placing.pieces(root, prefix, command), *([] if placing.is_openwrt(root) else _completions(prefix))]
        _tell(placing.place(root, wanted, dry_run=dry_run))
    except OSError as error:
        remedy = " (run it as root, or with --root DIR)" if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) else ""
        raise click.ClickException(f"{error.filename or root}: {error.strerror}{remedy}") from None
    _tell_next(root, command)


def _completions(prefix: str) -> Iterator[Piece]:
    from logtrigger.cli.completion import PLACES, script

    for shell, place in PLACES.items():
        yield Piece(f"{prefix.strip('/')}/{place}", f"{script(shell)}\n".encode())


def program(name: str | None = None) -> list[str]:
    """What starts this very logtrigger, with its whole path."""
    started = Path(os.path.abspath(sys.argv[0] if name is None else name))
    if started.name == "__main__.py":  # python -m logtrigger
        return [sys.executable, "-P", "-m", "logtrigger"]
    return [str(started)] if os.access(started, os.X_OK) else [sys.executable, "-I", str(started)]


def _tell(done: Iterable[placing.Done]) -> None:
    for one in done:
        click.echo(f"{one.path}: {one.what}")


def _tell_leavings(root: Path) -> None:
    click.echo("left: the state in /var/lib/logtrigger (on OpenWrt /tmp/logtrigger), and what scripts have written to /var/log")
    click.echo(
        "\nBans stay in the kernel until they are over. To lift all of them while the service still runs, and to end it:"
    )
    click.echo("    logtrigger unban --all")
    if placing.is_openwrt(root):
        click.echo("""    ubus call service delete '{"name": "logtrigger"}'""")  # its script is gone by now
    elif placing.has_systemd(root):
        click.echo("    systemctl disable --now logtrigger; systemctl daemon-reload")


def _tell_next(root: Path, command: list[str]) -> None:
    word = " ".join(command)
    steps = [f"{word} check"]
    if placing.is_openwrt(root):
        steps += ["/etc/init.d/logtrigger enable", "/etc/init.d/logtrigger restart"]
    elif placing.has_systemd(root):
        steps += ["systemctl daemon-reload", "systemctl enable logtrigger", "systemctl restart logtrigger"]
    else:
        steps += [f"{word} -D 1"]
    click.echo(
        f"\nNext: have a configuration written for this machine ({word} init), look through /etc/config/logtrigger, then"
    )
    for step in steps:
        click.echo(f"    {step}")
    if placing.is_openwrt(root):
        click.echo("To have a restart of the firewall lift all bans, see the head of /etc/logtrigger/firewall.include.")
    if any(part.startswith(_FLEETING) for part in command):
        click.echo(
            f"warning: the service will not find {command[-1]}: move it to /usr/local/bin, say, and run setup again", err=True
        )
