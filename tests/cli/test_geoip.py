"""`logtrigger geoip`: looking addresses up by hand, and what is said where that cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from logtrigger.cli.commands import main
from tests import geodata

pytestmark = pytest.mark.package("geoip2")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    geodata.write(tmp_path / "city.mmdb")
    path = tmp_path / "rules"
    path.write_text("config logtrigger\n list geoip city.mmdb\n")
    path.chmod(0o600)
    return path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, words)])


def test_text(rules: Path) -> None:
    done = run("-c", rules, "geoip", "192.0.2.7", "[2001:db8::1]", "::ffff:192.0.2.200")
    assert done.output.splitlines() == [
        "192.0.2.7: country FI, country_name Finland, continent EU, city Helsinki, lat 60.1700, lon 24.9400",
        "2001:db8::1: country FI, country_name Finland, continent EU, city Helsinki, lat 60.1700, lon 24.9400",
        "192.0.2.200: country SE, country_name Sweden, continent EU",
    ]
    assert done.exit_code == 0


def test_json_and_what_is_not_known(rules: Path) -> None:
    done = run("geoip", "-c", rules, "--json", "198.51.100.1", "10.0.0.1")
    assert [json.loads(line) for line in done.output.splitlines()] == [
        {"ip": "198.51.100.1", "country": "US", "country_name": "United States"},
        {"ip": "10.0.0.1"},
    ]
    assert done.exit_code == 1


def test_a_database_by_name(rules: Path, tmp_path: Path) -> None:
    asn = geodata.write(tmp_path / "asn.mmdb", geodata.ASN_NETWORKS, "GeoLite2-ASN")
    assert run("geoip", "-d", asn, "192.0.2.7").output == "192.0.2.7: asn 64496, as_org Example Net\n"


def test_one_bad_address_hides_no_other(rules: Path) -> None:
    done = run("-c", rules, "geoip", "192.0.2.200", "1.2.3", "192.0.2.201")
    assert done.stdout.splitlines() == [f"192.0.2.{last}: country SE, country_name Sweden, continent EU" for last in (200, 201)]
    assert done.stderr == "'1.2.3' is no address; write one such as 192.0.2.7 or 2001:db8::1\n"
    assert done.exit_code == 2


@pytest.mark.parametrize("what", ["tree", "record"])
def test_damage_is_no_answer(rules: Path, tmp_path: Path, what: str) -> None:
    """Neither that of the whole file, nor what only this address shows."""
    path = tmp_path / "city.mmdb"
    good = path.read_bytes()
    broken = good.replace(b"Helsinki", b"\xff" * 8) if what == "record" else good[:90] + b"\xff" * 300 + good[390:]
    path.write_bytes(broken)
    done = run("geoip", "-d", path, "192.0.2.7")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert f"{path} is damaged (" in done.stderr and done.stderr.endswith("); install it anew\n")
    assert run("-c", rules, "geoip", "192.0.2.7").exit_code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["geoip", "-c", "{rules}", "1.2.3.4.5"], "'1.2.3.4.5' is no address; write one such as 192.0.2.7"),
        (
            ["geoip", "-c", "{rules}", "-d", "{rules}", "1.2.3.4"],
            "rules is no MaxMind database, or only the beginning of one; install it anew, or name a file such as",
        ),
        (["geoip", "-d", "{rules}.none", "1.2.3.4"], "rules.none: No such file or directory; install the database there"),
        (["geoip", "-c", "{rules}.none", "1.2.3.4"], "rules.none:1: error: cannot be read"),
        (["geoip", "-c", "{empty}", "1.2.3.4"], "there is no database; write list geoip FILE into 'config logtrigger'"),
    ],
)
def test_what_cannot_be(rules: Path, words: list[str], said: str) -> None:
    empty = rules.with_name("empty")
    empty.write_text("config logtrigger\n option max_keys 5\n")
    empty.chmod(0o600)
    done = run(*(word.format(rules=rules, empty=empty) for word in words))
    assert said in done.output
    assert done.exit_code == 2
