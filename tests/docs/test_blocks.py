"""Every block of code of the pages that can be run is run; why others are not is said in the page (see pages.py)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from logtrigger.cli.check import check
from logtrigger.config import options
from tests import certificates, geodata
from tests.docs.pages import PAGES, ROOT, Block, of_kind

FILES = ROOT / "tests/docs/files"  # for each page what its sessions read

# Pages whose configurations belong together.
WHOLE = {"docs/actions.md", "docs/geoip.md", "docs/inputs.md", "docs/library.md"}

# What a configuration of a page may name.
SECRETS = ["mail.password", "alerta.key", "elastic.key"]
SCRIPTS = ["where.sh", "ask.sh"]

IS_ROOT = os.geteuid() == 0

SPEED = re.compile(r"[\d.]+ s, [\d,]+ lines/s")


def by_page(*kinds: str) -> list[Block]:
    return [block for page in PAGES for block in of_kind(page, *kinds) if not block.spared]


def place(folder: Path) -> Callable[[str], str]:
    """Fill a folder with what configurations of the pages name; what makes their paths those in it."""
    shutil.copytree(ROOT / "etc/logtrigger", folder, dirs_exist_ok=True)
    for script in (ROOT / "scripts").glob("*.sh"):
        shutil.copy(script, folder)
    for name in SCRIPTS:
        (folder / name).write_text("#!/bin/sh\n")
    for name in SECRETS:
        (folder / name).write_text("secret\n")
    if find_spec("geoip2"):
        geodata.write(folder / "GeoLite2-City.mmdb")
        geodata.write(folder / "GeoLite2-ASN.mmdb", geodata.ASN_NETWORKS, "GeoLite2-ASN")
    for file in (folder, *folder.rglob("*")):
        file.chmod(0o700)
    return lambda text: re.sub(r"""(?<=['"])/(etc/logtrigger|usr/share/GeoIP)/""", f"{folder}/", text)


def checked(folder: Path, text: str) -> Result:
    if "option certificate" in text:
        certificates.sign(certificates.authority(folder, "ca"), folder, "logs.example.net", ["DNS:logs.example.net"])
    path = folder / "configuration"
    path.write_text(place(folder)(text))
    path.chmod(0o600)
    return CliRunner().invoke(check, ["-c", str(path)])


@pytest.mark.parametrize("page", sorted(WHOLE))
@pytest.mark.package("geoip2")
def test_configurations_of_a_page_are_one(page: str, tmp_path: Path) -> None:
    text = "\n".join(block.text for block in of_kind(ROOT / page, "configuration") if not block.spared)
    done = checked(tmp_path, text)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("block", [one for one in by_page("configuration", "fragment") if one.page not in WHOLE], ids=str)
def test_configuration_has_no_mistake(block: Block, tmp_path: Path) -> None:
    if "list geoip" in block.text and not find_spec("geoip2"):
        pytest.skip("geoip2 is not installed")
    done = checked(tmp_path, block.text if block.kind == "configuration" else continued(block))
    assert done.exit_code == 0, done.output


def continued(fragment: Block) -> str:
    """What a fragment goes on with: the last rule before it, without what it says anew; or the section its options are of."""
    lead = re.split(r"^config ", fragment.text, flags=re.MULTILINE)[0]
    names = re.findall(r"^\s*(?:option|list)\s+(\w+)", lead, re.MULTILINE)
    others = [name for name in ("firewall", "logtrigger") if not set(names) <= set(options.RULE)]
    section = next((name for name in others if set(names) <= set(options.SECTIONS[name])), "rule")
    if section != "rule":
        return f"config {section}\n{fragment.text}"
    rules = [
        one for one in of_kind(ROOT / fragment.page, "configuration") if one.line < fragment.line and "config rule" in one.text
    ]
    assert rules, f"{fragment}: no rule stands before it"
    if "country_changed" in fragment.text:
        names += ["maxfail", "time"]  # which it settles
    kept = [
        line
        for line in mended(rules[-1].text).rstrip().split("\n")
        if not (found := re.match(r"\s*(?:option|list)\s+(\w+)", line)) or found[1] not in {*names} - {"expect", "reject"}
    ]
    return "\n".join(kept) + f"\n{fragment.text}"


def mended(text: str) -> str:
    """The rule of docs/writing-rules.md without the two mistakes that its third step finds."""
    return text.replace("maxfial", "maxfail").replace("10 minutes", "10m")


@pytest.mark.parametrize("block", by_page("script"), ids=str)
def test_script_runs(block: Block, tmp_path: Path) -> None:
    done = shell(block.text, tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("block", by_page("session"), ids=str)
def test_session_shows_what_the_program_says(block: Block, tmp_path: Path) -> None:
    files = FILES / Path(block.page).stem
    if files.is_dir():
        shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    for written in of_kind(ROOT / block.page, "configuration"):
        if written.file:
            # The third step of docs/writing-rules.md finds two mistakes, and the others go on without them.
            text = written.text if "maxfial" in block.text else mended(written.text)
            (tmp_path / "named").mkdir()
            (tmp_path / written.file).write_text(place(tmp_path / "named")(text))
            (tmp_path / written.file).chmod(0o600)
    for command, shown in commands(block.text):
        said = shell(command, tmp_path).stdout
        assert missing(shown, said) == [], f"{block}: {command}\nsaid\n{said}"


# Nothing but the folder can be written, and nobody reached: a page is not to change the machine that tries it.
# /tmp may be a file system of its own, as on Debian 13; one that another one hides cannot be changed and need not be.
SANDBOX = """
mount --bind "$PWD" "$PWD" && cd "$PWD" && mount -o remount,bind,ro / || exit
while read -r _ _ _ _ place _; do
    [ "$place" = "$PWD" ] || [ "$place" = / ] || mount -o remount,bind,ro "$place" 2>/dev/null
done </proc/self/mountinfo
exec /bin/sh -euc "$1"
"""


def shell(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder where `logtrigger` is this one."""
    programs = folder / ".bin"
    programs.mkdir(exist_ok=True)
    (programs / "logtrigger").write_text(f'#!/bin/sh\nexec {sys.executable} -m logtrigger "$@"\n')
    (programs / "logtrigger").chmod(0o755)
    env = {
        "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "HOME": str(folder),
    }
    line = ["/bin/sh", "-euc", text]
    if IS_ROOT:
        line = ["unshare", "--mount", "--net", "/bin/sh", "-c", SANDBOX, "sh", text]
    return subprocess.run(line, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


@pytest.mark.root
def test_sandbox_keeps_the_machine_as_it_is(tmp_path: Path) -> None:
    assert shell("touch here", tmp_path).returncode == 0
    assert shell(f"touch {tmp_path.parent}/there", tmp_path).returncode != 0
    assert shell("touch /etc/there", tmp_path).returncode != 0


def commands(session: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a session, and the lines that are shown of what it says."""
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        lines = part.rstrip().split("\n")
        length = next((number for number, line in enumerate(lines, 1) if not line.endswith("\\")), len(lines))
        yield "\n".join(lines[:length]), lines[length:]


def missing(shown: list[str], said: str) -> list[str]:
    """Shown lines that were not said, whatever the order; speeds differ, `...` is anything, a last `…` what follows."""
    left = [SPEED.sub("speed", line.rstrip()) for line in said.split("\n")]
    absent = []
    for line in (SPEED.sub("speed", one.rstrip()) for one in shown if one.strip() not in ("", "...", "…")):
        number = next(
            (at for at, one in enumerate(left) if one == line or line.endswith("…") and one.startswith(line[:-1])), None
        )
        if number is None:
            absent.append(line)
        else:
            del left[number]
    return absent


def test_a_wrong_session_is_found() -> None:
    assert missing(["one", "..."], "two\none\n") == [] and missing(["one", "one"], "two\none\n") == ["one"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_are_not_run_have_a_reason(page: Path) -> None:
    assert [f"{one}: say why above it, <!-- not run: why -->" for one in of_kind(page, "commands") if not one.spared] == []
