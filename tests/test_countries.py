"""Codes of countries and continents: what is one, and what to write instead of what is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from logtrigger import countries

ISO = Path("/usr/share/zoneinfo/iso3166.tab")


def test_codes_are_those_of_iso_3166() -> None:
    if not ISO.exists():
        pytest.skip("needs the package tzdata")
    listed = {line.split("\t")[0] for line in ISO.read_text().splitlines() if not line.startswith("#")}
    assert countries.CODES == listed | {"XK"}


@pytest.mark.parametrize(("text", "code"), [("FI", "FI"), ("fi", "FI"), ("gB", "GB"), ("xk", "XK")])
def test_country(text: str, code: str) -> None:
    assert countries.country(text) == code


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("UK", "the code of the United Kingdom is GB"),
        ("el", "the code of Greece is GR"),
        ("EU", "'continent == EU'"),
        ("XX", "two letters of ISO 3166"),
        ("Finland", "two letters of ISO 3166"),
        ("FI,SE", "put blanks between them: FI SE"),
        ("fi|se", "put blanks between them: FI SE"),
    ],
)
def test_no_country(text: str, said: str) -> None:
    with pytest.raises(ValueError) as raised:
        countries.country(text)
    assert said in str(raised.value)


def test_continent() -> None:
    assert countries.continent("eu") == "EU"
    for text, said in (("Europe", "write one of AF AN AS EU NA OC SA"), ("EU,AS", "put blanks between them: EU AS")):
        with pytest.raises(ValueError) as raised:
            countries.continent(text)
        assert said in str(raised.value)
