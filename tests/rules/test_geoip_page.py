"""docs/geoip.md: the script on it says what the rule behind it reads."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from tests.live import live

# As the program of mmdb-bin answers: a blank line, the value with its type, a blank line.
MMDBLOOKUP = """\
case $4 in
  192.0.2.*) printf '\\n  "FI" <utf8_string>\\n\\n' ;;
  198.51.100.*) printf '\\n  "DE" <utf8_string>\\n\\n' ;;
  *) echo "Could not find an entry for this IP address ($4)" >&2; exit 6 ;;
esac"""
CONNECTED = "Jan  6 17:26:44 gate openvpn[812]: {0}:39236 [{1}] Peer Connection Initiated with [AF_INET]{0}:39236"

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/geoip.md").read_text()


def blocks(beginning: str) -> list[str]:
    """What is indented and begins so."""
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", PAGE, re.MULTILINE)
    return [textwrap.dedent(block) for block in found if block.lstrip().startswith(beginning)]


def test_a_script_s_answer_is_judged(tmp_path: Path) -> None:
    with live(tmp_path) as one:
        lookup = one.script("mmdblookup", MMDBLOOKUP)
        (text,) = blocks("#!/bin/sh")
        (tmp_path / "ask.sh").write_text(text.replace("mmdblookup", str(lookup)))
        (tmp_path / "ask.sh").chmod(0o700)
        rules = next(block for block in blocks("config rule") if "feed" in block).replace("/etc/logtrigger", str(tmp_path))
        first, _, others = rules.partition("config action")
        said = "option text '{user} {ip} {answer}'"
        alert = f"config action alert\n option type log\n option path {tmp_path}/alerts\n {said}\n"
        one.configure(f"{first.rstrip()}\n\toption file '{one.log}'\n\nconfig action{others}\n{alert}")
        with one.running():
            for address, user in (("192.0.2.7", "ann"), ("198.51.100.7", "bob"), ("203.0.113.7", "eve")):
                one.write(CONNECTED.format(address, user))
            alerts = tmp_path / "alerts"
            one.until(lambda: alerts.exists() and len(alerts.read_text().splitlines()) == 2, "two alerts")
        assert sorted(alerts.read_text().splitlines()) == ["bob 198.51.100.7 DE", "eve 203.0.113.7 unknown"]
