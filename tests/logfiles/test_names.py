"""A template's names are safe whatever a sender claims to be called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logtrigger.logfiles.names import FIELDS, LONGEST, Template


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("srv/{host}", "begins with /"),
        ("/{host}/x.log", "begin with a folder"),
        ("/srv/{hots}.log", r"no field \{hots\}"),
        ("/srv/{host.log", "brace is left open"),
        ("/srv/host}.log", "brace is left open"),
        ("/srv/{}.log", r"no field \{\}"),
        ("/srv/../{host}", "'..' is no name"),
        ("/srv//{host}", "'' is no name"),
        ("/srv/{host}/", "'' is no name"),
        (f"/srv/{'x' * 60}{{host}}", "may hold 50 bytes"),
    ],
)
def test_what_is_no_template(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Template(text)


def test_a_template_without_fields_is_one_file() -> None:
    template = Template("/srv/log/all.log")
    assert (template.folder, template.names({})) == ("/srv/log", ("all.log",))


def test_long_names_are_cut_and_stay_apart() -> None:
    template = Template("/srv/log/{host}-{program}.log")
    first = template.names({"host": "a" * 300, "program": "x"})[0]
    second = template.names({"host": "a" * 300, "program": "y"})[0]
    assert len(first) == len(second) == LONGEST
    assert first != second
    assert first.endswith(".log")


@pytest.mark.parametrize("text", ["/srv/log/{host}/{program}.log", "/srv/log/{host}", "/srv/log/a/.{host}{program}é"])
@given(values=st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=300)))
def test_no_value_leaves_the_folder(text: str, values: dict[str, str]) -> None:
    for name in Template(text).names(values):
        assert 0 < len(name.encode()) <= LONGEST
        assert "/" not in name
        assert "\0" not in name
        assert not name.startswith(".")
        assert name.isprintable()
