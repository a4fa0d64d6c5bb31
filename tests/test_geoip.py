"""Places of addresses out of MaxMind databases: of every layout, replaced and broken while in use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logtrigger.geoip import LOOK_EVERY, MOST_CACHED, GeoIP
from tests import geodata

pytestmark = pytest.mark.package("geoip2")


class Reports(list[tuple[int, str]]):
    def __call__(self, level: int, text: str) -> None:
        self.append((level, text))


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return geodata.write(tmp_path / "city.mmdb")


IN_FINLAND = {
    "country": "FI",
    "country_name": "Finland",
    "continent": "EU",
    "city": "Helsinki",
    "lat": "60.1700",
    "lon": "24.9400",
}


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("192.0.2.7", IN_FINLAND),
        ("2001:db8::1", IN_FINLAND),
        ("192.0.2.200", {"country": "SE", "country_name": "Sweden", "continent": "EU"}),
        ("198.51.100.1", {"country": "US", "country_name": "United States"}),  # only registered there
        *((address, {}) for address in ("10.0.0.1", "127.0.0.1", "::1", "fe80::1", "224.0.0.1", "ff02::1", "", "x")),
    ],
)
def test_look(city: Path, reports: Reports, address: str, found: dict[str, str]) -> None:
    assert GeoIP([city], reports).look(address) == found
    assert reports == []


def test_several_databases_are_one(city: Path, tmp_path: Path, reports: Reports) -> None:
    asn = geodata.write(tmp_path / "asn.mmdb", geodata.ASN_NETWORKS, "GeoLite2-ASN")
    flat = geodata.write(tmp_path / "flat.mmdb", {"192.0.2.0/24": {"country_code": "XX", "city": "Elsewhere"}}, "city")
    found = GeoIP([asn, city, flat], reports).look("192.0.2.200")
    assert found["asn"] == "64496" and found["as_org"] == "Example Net"
    assert found["country"] == "SE"  # the first that knows it
    assert found["city"] == "Elsewhere"


@pytest.mark.parametrize(
    ("address", "home"),
    [("192.0.2.7", "1"), ("192.0.2.200", "0"), ("203.0.113.1", None), ("10.0.0.1", None), ("2001:db8::1", "1")],
)
def test_home(city: Path, reports: Reports, address: str, home: str | None) -> None:
    """1 in a country that is expected, 0 in another one, nothing where the country is not known."""
    assert GeoIP([city], reports, {"FI", "NO"}).look(address).get("home") == home


def test_no_home(city: Path, reports: Reports) -> None:
    assert "home" not in GeoIP([city], reports).look("192.0.2.7")


def test_home_where_a_later_database_knows_the_country(city: Path, tmp_path: Path, reports: Reports) -> None:
    asn = geodata.write(tmp_path / "asn.mmdb", geodata.ASN_NETWORKS, "GeoLite2-ASN")
    assert GeoIP([asn, city], reports, {"SE"}).look("192.0.2.200")["home"] == "1"


def test_ipv4_only_database_knows_nothing_of_ipv6(tmp_path: Path, reports: Reports) -> None:
    writer = pytest.importorskip("mmdb_writer").MMDBWriter(4, "country ipv4", description="x")
    writer.insert_network(pytest.importorskip("netaddr").IPSet(["192.0.2.0/24"]), {"country_code": "FI"})
    writer.to_db_file(str(tmp_path / "v4.mmdb"))
    geo = GeoIP([tmp_path / "v4.mmdb"], reports)
    assert geo.look("192.0.2.1") == {"country": "FI"}
    assert geo.look("2001:db8::1") == {}


def test_replaced_database_is_read_anew(city: Path, reports: Reports) -> None:
    now = 100.0
    geo = GeoIP([city], reports, clock=lambda: now)
    assert geo.look("192.0.2.7")["country"] == "FI"
    geo.refresh()
    assert reports == []
    geodata.write(city, {"192.0.2.0/24": geodata.SWEDEN})
    now += LOOK_EVERY - 0.1
    assert geo.look("192.0.2.7")["country"] == "FI"  # not looked for yet
    now += 0.2
    assert geo.look("192.0.2.7")["country"] == "SE"
    assert reports == [(1, f"{city}: read anew")]


def test_database_in_the_making(city: Path, reports: Reports) -> None:
    """One that is written in place is no news until it stays as it is."""
    geo = GeoIP([city], reports)
    whole = city.read_bytes()
    for part in range(4):
        city.write_bytes(whole[: len(whole) * part // 4])
        geo.refresh()
    assert reports == []
    city.write_bytes(whole)
    geo.refresh()
    assert reports == [(1, f"{city}: read anew")]


@pytest.mark.parametrize("fault", ["gone", "rubbish", "cut"])
def test_broken_database_is_told_once_and_the_old_one_kept(city: Path, reports: Reports, fault: str) -> None:
    """Also where the file is overwritten in place, under whoever has it open."""
    geo = GeoIP([city], reports)
    good = city.read_bytes()
    if fault == "gone":
        city.unlink()
    else:
        city.write_bytes(b"rubbish" if fault == "rubbish" else good[: len(good) // 2])
    for _ in range(3):
        geo.refresh()
        assert geo.look("192.0.2.99")["country"] == "FI"
    assert [level for level, _ in reports] == [0]
    assert str(city) in reports[0][1] and "stays in use" in reports[0][1]
    city.write_bytes(good)
    geo.refresh()
    assert reports[1:] == [(1, f"{city}: read anew")]


def damaged(path: Path) -> bytes:
    """The file with rubbish in the midst of its tree; it has its description still."""
    content = path.read_bytes()
    return content[:100] + b"\xff" * 200 + content[300:]


def test_damaged_one_never_takes_the_place_of_a_good_one(city: Path, reports: Reports) -> None:
    geo = GeoIP([city], reports)
    good = city.read_bytes()
    city.write_bytes(damaged(city))
    for _ in range(3):
        geo.refresh()
    assert geo.look("192.0.2.9")["country"] == "FI"
    ((level, said),) = reports
    assert level == 0 and "city.mmdb is damaged" in said and said.endswith("; the one read before stays in use")
    city.write_bytes(good)
    geo.refresh()
    assert reports[1:] == [(1, f"{city}: read anew")]


def test_broken_at_the_start_and_mended_later(city: Path, reports: Reports) -> None:
    good = city.read_bytes()
    city.write_bytes(damaged(city))
    geo = GeoIP([city], reports)
    assert geo.look("192.0.2.9") == {}
    ((level, said),) = reports
    assert level == 0 and "is damaged" in said and said.endswith("; addresses have no place until it can be read")
    city.write_bytes(good)
    geo.refresh()
    assert geo.look("192.0.2.9")["country"] == "FI"
    assert reports[1:] == [(1, f"{city}: read anew")]


def test_what_was_in_use_survives_a_reload(city: Path, tmp_path: Path, reports: Reports) -> None:
    """The one that was read stays, whatever became of its file; one that the configuration names no more is forgotten."""
    other = geodata.write(tmp_path / "other.mmdb", geodata.ASN_NETWORKS, "GeoLite2-ASN")
    before = GeoIP([city, other], reports)
    city.write_bytes(b"rubbish")
    for _ in range(2):
        after = GeoIP([city], reports, before=before)
        after.refresh()
    assert after.look("192.0.2.7") == IN_FINLAND
    assert {text for _, text in reports} == {
        f"{city} is no MaxMind database, or only the beginning of one; "
        "install it anew, or name a file such as GeoLite2-Country.mmdb; the one read before stays in use"
    }


def test_damage_that_an_address_shows_is_told_once(city: Path, reports: Reports) -> None:
    content = city.read_bytes()
    city.write_bytes(content.replace(b"Helsinki", b"\xff" * 8))
    geo = GeoIP([city], reports)
    for number in range(10):
        assert geo.look(f"192.0.2.{number}") == {}
    assert geo.look("192.0.2.200")["country"] == "SE"
    ((level, said),) = reports
    assert level == 0 and said.endswith("until then some addresses have no place")


def test_missing_database_is_waited_for(tmp_path: Path, reports: Reports) -> None:
    path = tmp_path / "later.mmdb"
    geo = GeoIP([path], reports)
    assert geo.look("192.0.2.7") == {}
    assert reports[0][0] == 0 and "No such file" in reports[0][1]
    geodata.write(path)
    geo.refresh()
    assert geo.look("192.0.2.7")["country"] == "FI"


def test_cache_is_bounded(city: Path, reports: Reports) -> None:
    geo = GeoIP([city], reports)
    for number in range(MOST_CACHED + 10):
        geo.look(f"192.0.{number >> 8 & 255}.{number & 255}")
    assert len(geo._cache) <= MOST_CACHED


def test_descriptors_are_given_back(city: Path, reports: Reports) -> None:
    geo = GeoIP([city], reports)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(10):
        geodata.write(city, {"192.0.2.0/24": {"country_code": f"{number}"}})
        geo.refresh()
    assert len(os.listdir("/proc/self/fd")) <= before
    assert geo.look("192.0.2.7") == {"country": "9"}


@pytest.mark.timeout(300)
def test_real_city_database(request: pytest.FixtureRequest, reports: Reports) -> None:
    geo = GeoIP([geodata.real_city(request.config.cache.mkdir("geo"))], reports)
    assert geo.look("81.2.69.142")["country"] == "GB"
    assert geo.look("81.2.69.142")["continent"] == "EU"
    assert geo.look("2001:4860:4860::8888")["country_name"] == "United States"
    assert reports == []


@pytest.mark.timeout(300)
def test_real_country_database(request: pytest.FixtureRequest, reports: Reports) -> None:
    geo = GeoIP([geodata.real_country(request.config.cache.mkdir("geo"))], reports)
    assert geo.look("193.166.3.2") == {"country": "FI"}
    assert reports == []
