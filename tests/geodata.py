"""MaxMind databases for tests: small ones made here, with exact values, and real ones out of packages."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import find_tool

FINLAND = {
    "continent": {"code": "EU", "names": {"en": "Europe"}},
    "country": {"iso_code": "FI", "names": {"en": "Finland", "de": "Finnland"}},
    "city": {"names": {"en": "Helsinki"}},
    "location": {"latitude": 60.17, "longitude": 24.94},
}
SWEDEN = {"country": {"iso_code": "SE", "names": {"en": "Sweden"}}, "continent": {"code": "EU"}}
NETWORKS: Mapping[str, Any] = {
    "192.0.2.0/25": FINLAND,
    "192.0.2.128/25": SWEDEN,
    "2001:db8::/48": FINLAND,
    "198.51.100.0/24": {"registered_country": {"iso_code": "US", "names": {"en": "United States"}}},
}
ASN_NETWORKS: Mapping[str, Any] = {
    "192.0.2.0/24": {"autonomous_system_number": 64496, "autonomous_system_organization": "Example Net"}
}


def write(path: Path, networks: Mapping[str, Any] = NETWORKS, kind: str = "GeoLite2-City") -> Path:
    """A database of these networks; where it was there already it is replaced in one step."""
    writer = pytest.importorskip("mmdb_writer")
    netaddr = pytest.importorskip("netaddr")
    tree = writer.MMDBWriter(6, kind, ipv4_compatible=True, languages=["en"], description="made for a test")
    for network, record in networks.items():
        tree.insert_network(netaddr.IPSet([network]), record)
    fresh = path.with_suffix(".fresh")
    tree.to_db_file(str(fresh))
    return fresh.replace(path)


def real_city(folder: Path) -> Path:
    """GeoLite2-City as MaxMind published it in July 2018, out of a package of PyPI."""
    package = "maxminddb-geolite2==2018.703"
    if not (found := list(folder.glob("maxminddb-geolite2-*.tar.gz"))):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", package]
        _fetch([*command, "--dest", str(folder)])
        found = list(folder.glob("maxminddb-geolite2-*.tar.gz"))
    return _member(found[0], ".mmdb", folder / "city.mmdb")


def real_country(folder: Path) -> Path:
    """A database of countries in the flat layout, out of a package of npm."""
    if not (found := list(folder.glob("*country-mmdb*.tgz"))):
        if find_tool("npm") is None:
            pytest.skip("needs npm")
        command = ["npm", "pack", "--silent", "--pack-destination", str(folder)]
        _fetch([*command, "@ip-location-db/geolite2-country-mmdb"])
        found = list(folder.glob("*country-mmdb*.tgz"))
    return _member(found[0], "country.mmdb", folder / "country.mmdb")


def _fetch(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the registry gives no such package here: {done.stderr.strip()[-200:]}")


def _member(archive: Path, ending: str, to: Path) -> Path:
    if not to.exists():
        with tarfile.open(archive) as tar:
            name = next(name for name in tar.getnames() if name.endswith(ending))
            content = tar.extractfile(name)
            assert content is not None
            to.write_bytes(content.read())
    return to
