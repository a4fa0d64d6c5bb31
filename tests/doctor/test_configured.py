"""What is said of the files that a configuration names; of scripts and rights in tests/e2e/test_doctor.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from logtrigger.doctor import configured
from logtrigger.doctor.findings import Case
from logtrigger.mmdb import Database
from tests import geodata


@pytest.mark.package("geoip2")
@pytest.mark.parametrize(("days", "wrong"), [(30, []), (400, ["was made 400 days ago, and addresses have moved since"])])
def test_a_database_of_places_that_is_old(tmp_path: Path, days: int, wrong: list[str]) -> None:
    database, rules = geodata.write(tmp_path / "city.mmdb"), tmp_path / "rules"
    rules.write_text(f"config logtrigger\n\tlist geoip '{database}'\n\tlist geoip '{tmp_path}/none.mmdb'\n")
    rules.chmod(0o600)
    found = list(configured.check(Case(rules, Database(database).built + days * 86_400)))
    assert [one.text for one in found if one.check == "geoip"] == [f"{database} {text}" for text in wrong]
