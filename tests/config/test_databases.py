"""`list geoip`: what can be wrong with databases, and what rules can ask of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger import config
from logtrigger.errors import ConfigError
from tests import geodata

Write = Callable[[str, str], Path]
Complaints = Callable[[str], list[str]]

RULE = (
    "config rule\n option name login\n option pattern 'login of %s from %s'\n option fields 'user ip'\n option script /bin/sh\n"
)
pytestmark = pytest.mark.package("geoip2")


def geoip(*paths: Path) -> str:
    return "config logtrigger\n" + "".join(f" list geoip {path}\n" for path in paths)


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return geodata.write(tmp_path / "city.mmdb")


@pytest.fixture
def asn(tmp_path: Path) -> Path:
    return geodata.write(tmp_path / "asn.mmdb", geodata.ASN_NETWORKS, "GeoLite2-ASN")


def test_good_databases(write: Write, city: Path, asn: Path) -> None:
    text = RULE + " list when 'country != FI'\n list when 'ip_asn != 1'\n" + geoip(city, asn)
    settings, said = config.load(write("rules.conf", text))
    assert (settings.geoip, said) == ((city, asn), ())


def test_relative_paths(write: Write, city: Path) -> None:
    path = write("rules.conf", RULE + "config logtrigger\n list geoip city.mmdb\n")
    assert config.load(path)[0].geoip == (path.absolute().parent / "city.mmdb",)


def test_missing_one_is_waited_for(complaints: Complaints, tmp_path: Path) -> None:
    text = RULE + " list when 'country != FI'\n" + geoip(tmp_path / "later.mmdb")
    (said,) = complaints(text)
    assert said.startswith(f"rules.conf:8: warning: there is no database {tmp_path}/later.mmdb (install it there;")


def test_one_that_cannot_be_looked_at(complaints: Complaints, tmp_path: Path) -> None:
    (said,) = complaints(RULE + geoip(tmp_path / ("x" * 300)))
    assert said.startswith("rules.conf:7: warning: ") and "File name too long" in said


@pytest.mark.parametrize("content", [b"rubbish", None])
def test_broken_one_keeps_nobody_from_starting(write: Write, tmp_path: Path, city: Path, content: bytes | None) -> None:
    """The daemon is needed for more than places; `check` calls it a mistake."""
    city.write_bytes(content or city.read_bytes()[:90] + b"\xff" * 300 + city.read_bytes()[390:])
    path = write("rules.conf", RULE + " list when 'country == FI'\n" + geoip(city))
    settings, (said,) = config.load(path)
    assert settings.geoip == (city,) and settings.number_of_rules == 1
    assert said.severity == "warning" and str(city) in said.fault
    with pytest.raises(ConfigError) as raised:
        config.read(path)
    assert [one.severity for one in raised.value.complaints] == ["error"]


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (["country != FI"], "'country != FI'"),
        (["ip_country not in FI SE"], "'ip_country not in FI SE'"),
        (["country != FI", "city != Turku"], "'country != FI'"),
        (["country != FI", "known country"], ""),
        (["country != FI", "home == 0"], ""),
        (["country == SE"], ""),
        (["unknown country"], ""),
        (["ip != 10.0.0.1"], ""),
    ],
)
def test_who_bans_what_is_elsewhere_bans_what_is_nowhere(
    complaints: Complaints, city: Path, when: list[str], said: str
) -> None:
    asked = "".join(f" list when '{text}'\n" for text in when)
    rule = RULE.replace("option script /bin/sh", "option ban 1h") + asked
    got = complaints(rule + geoip(city) + " list home_country FI\n")
    fault = (
        f"rules.conf:1: warning: rule 'login' also bans addresses of which nobody knows where they are: {said} holds for them"
    )
    assert [one.partition(" (")[0] for one in got] == ([fault] if said else [])
    assert complaints(RULE + asked + geoip(city) + " list home_country FI\n") == []


def test_what_is_none(complaints: Complaints, tmp_path: Path) -> None:
    (tmp_path / "x.mmdb").write_text("rubbish")
    assert complaints(RULE + geoip(tmp_path / "x.mmdb")) == [
        f"rules.conf:7: warning: {tmp_path}/x.mmdb is no MaxMind database, or only the beginning of one "
        "(install it anew, or name a file such as GeoLite2-Country.mmdb)"
    ]


def test_rule_asks_and_there_is_none(complaints: Complaints) -> None:
    assert complaints(RULE + " list when 'known ip_city'\n list when 'country == FI'\n") == [
        "rules.conf:1: warning: rule 'login' asks for city and country, and there is no database"
        " (write list geoip '/usr/share/GeoIP/GeoLite2-City.mmdb' into 'config logtrigger')"
    ]


def test_database_of_another_kind(complaints: Complaints, asn: Path) -> None:
    (said,) = complaints(RULE + " list when 'country == FI'\n" + geoip(asn))
    assert "warning: rule 'login' asks for country, which no database of 'geoip' knows" in said


def test_countries_that_are_expected(write: Write, city: Path) -> None:
    text = RULE + " list when 'home == 0'\n" + geoip(city) + " list home_country 'fi SE'\n list home_country NO\n"
    settings, said = config.load(write("rules.conf", text))
    assert (settings.home, said) == (frozenset({"FI", "SE", "NO"}), ())


def test_expected_countries_without_a_database(complaints: Complaints) -> None:
    assert complaints(RULE + "config logtrigger\n list home_country FI\n") == [
        "rules.conf:7: warning: 'home_country' says nothing of any address, as there is no database"
        " (write list geoip '/usr/share/GeoIP/GeoLite2-City.mmdb' into 'config logtrigger')"
    ]


def test_expected_countries_and_no_database_of_countries(complaints: Complaints, asn: Path) -> None:
    (said,) = complaints(RULE + geoip(asn) + " list home_country FI\n")
    assert said.startswith("rules.conf:8: warning: 'home_country' says nothing of any address: no database of 'geoip' knows")


def test_rule_asks_for_home_and_there_is_none(complaints: Complaints, city: Path, asn: Path) -> None:
    text = RULE + " list when 'unknown ip_home'\n"
    assert complaints(text + geoip(city)) == [
        "rules.conf:1: warning: rule 'login' asks for home, and there is no 'home_country'"
        " (write list home_country 'FI' into 'config logtrigger')"
    ]
    assert "asks for country, which no database" in complaints(text + geoip(asn) + " list home_country FI\n")[0]


def test_rules_that_a_file_offers_may_ask_for_what_there_is_not(write: Write) -> None:
    """Only those that somebody uses need a database."""
    offered = RULE.replace(" option script /bin/sh\n", "").replace("login", "{0}") + " list when 'home == 0'\n"
    write("lib/rules.conf", offered.format("one") + offered.format("two"))
    text = "config logtrigger\n list include lib/rules.conf\nconfig override\n list rule one\n option script /bin/sh\n"
    (said,) = config.load(write("rules.conf", text))[1]
    assert str(said).startswith("lib/rules.conf:1: warning: rule 'one' asks for home, and there is no database")


@pytest.mark.parametrize("name", ["country", "ip_city", "home"])
def test_names_that_are_taken(complaints: Complaints, name: str) -> None:
    (said,) = complaints(RULE.replace("user ip", f"{name} ip"))
    assert f"error: a field of a rule with an address cannot be called '{name}'" in said


def test_samples_hold_wherever_an_address_is(write: Write, city: Path) -> None:
    text = RULE + " list when 'country == SE'\n list expect 'login of bob from 192.0.2.7 -> user=bob ip=192.0.2.7'\n"
    assert config.load(write("rules.conf", text + geoip(city)))[1] == ()


def test_what_is_no_path_is_one_mistake(complaints: Complaints) -> None:
    (said,) = complaints(RULE + "config logtrigger\n list geoip 'a\x01b'\n list geoip '/etc/passwd'\n")
    assert "'geoip' holds a line break or control" in said
