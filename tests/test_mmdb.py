"""One MaxMind database: every layout of records, either reader, and what is wrong with a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from logtrigger.mmdb import Database, places
from tests import geodata

pytestmark = pytest.mark.package("geoip2")

MARK = b"\xab\xcd\xefMaxMind.com"


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return geodata.write(tmp_path / "city.mmdb")


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ({"country_code": "FI", "asn": "AS64496", "as_name": "N", "lat": 1, "lng": -2.5}, "FI 64496 N 1.0000 -2.5000"),
        ({"country": "FI"}, "FI"),
        ({"country": {"names": {"de": "Finnland"}}}, ""),
        ({"country": {"iso_code": None}, "location": {"latitude": "north"}}, ""),
        ([1, 2], ""),
        (None, ""),
    ],
)
def test_layouts_of_records(record: Any, found: str) -> None:
    assert (
        " ".join(places(record)[name] for name in ("country", "asn", "as_org", "lat", "lon") if name in places(record)) == found
    )


@pytest.fixture(params=["as it comes", "in Python"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """maxminddb's reader in C, where it has one, and the one in Python, which is all there is on some routers."""
    if request.param == "in Python":
        maxminddb = pytest.importorskip("maxminddb")
        monkeypatch.setattr(maxminddb, "open_database", partial(maxminddb.open_database, mode=maxminddb.MODE_MMAP))


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("address", ["192.0.2.7", "192.0.2.200", "2001:db8::1", "10.0.0.1", "ff02::1", "x", "1.2.3", ""])
def test_either_reader(city: Path, address: str, request: pytest.FixtureRequest) -> None:
    database = Database(city)
    assert ("extension" in type(database._reader).__module__) <= ("in Python" not in request.node.name)
    assert database.look(address).get("country") == {"192.0.2.7": "FI", "192.0.2.200": "SE", "2001:db8::1": "FI"}.get(address)
    assert database.fields() >= {"country", "city", "lat"}


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("byte", [0xFF, 0x00, 0x20, 0x3F, 0xE7])
@pytest.mark.parametrize("part", ["whole", "tree", "end of tree"])
def test_rubbish_inside(city: Path, byte: int, part: str) -> None:
    """A file that has its description, and something else where its tree was."""
    content = bytearray(city.read_bytes())
    database = Database(city)
    metadata = database._reader.metadata()
    tree = metadata.node_count * metadata.record_size // 4
    begin, end = {"whole": (0, content.index(MARK)), "tree": (0, tree), "end of tree": (tree - 16, tree + 16)}[part]
    content[begin:end] = bytes([byte]) * (end - begin)
    city.write_bytes(content)
    if (part, byte) == ("end of tree", 0):
        return  # which is as good: nothing of the networks asked for stands there
    with pytest.raises(ValueError, match=r"city.mmdb is damaged \(.*\); install it anew"):
        Database(city)


@pytest.mark.usefixtures("reader")
@pytest.mark.timeout(300)
def test_hole_in_a_real_one(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Wherever it is: in the tree, among the records."""
    whole = geodata.real_city(request.config.cache.mkdir("geo")).read_bytes()
    path = tmp_path / "city.mmdb"
    for part in (0.2, 0.5, 0.95):
        at = int(len(whole) * part)
        path.write_bytes(whole[:at] + bytes(8192) + whole[at + 8192 :])
        with pytest.raises(ValueError, match="is damaged"):
            Database(path)


@pytest.mark.usefixtures("reader")
def test_damage_of_one_record(city: Path) -> None:
    """What only some addresses show is said when one of them is looked up, and when the file is looked through."""
    content = city.read_bytes()
    city.write_bytes(content.replace(b"Helsinki", b"\xff" * 8))
    database = Database(city)
    with pytest.raises(ValueError, match="is damaged"):
        database.look("192.0.2.7")
    with pytest.raises(ValueError, match="is damaged"):
        database.fields()


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    ("kept", "said"), [(0, "is empty; install it anew"), (500, "or only the beginning of one; install it anew")]
)
def test_a_download_that_broke_off(city: Path, kept: int, said: str) -> None:
    city.write_bytes(city.read_bytes()[:kept])
    with pytest.raises(ValueError, match=rf"^{city} .*{said}"):
        Database(city)


def test_case_of_codes() -> None:
    assert places({"country_code": "fi", "continent": "eu", "city": "x"}) == {"country": "FI", "continent": "EU", "city": "x"}
    assert places({"continent": "Europe"}) == {"continent": "Europe"}


def test_what_a_database_is_good_for(city: Path, tmp_path: Path) -> None:
    asn = geodata.write(tmp_path / "asn.mmdb", geodata.ASN_NETWORKS, "GeoLite2-ASN")
    assert Database(asn).fields() == {"asn", "as_org"}
    assert Database(city).fields() >= {"country", "city", "lat"}
    assert Database(asn).kind == "GeoLite2-ASN"
