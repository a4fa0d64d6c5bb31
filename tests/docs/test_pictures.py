"""The pictures of the documents show what the program shows."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tests.docs.pages import PAGES, ROOT, links
from tools import pictures
from tools.terminal import picture

# What is different each time: the time of day and of the trigger, its id, and how long the script took.
PASSING = re.compile(r"\d\d:\d\d:\d\d(?= [a-z])|(?<=LT_time    )\d+|(?<=Door@)[0-9a-f]+|(?<=after )[\d.]+")


def text_of(svg: str) -> list[str]:
    """The lines of a picture."""
    root = ElementTree.fromstring(svg)
    return [PASSING.sub("…", "".join(one.itertext())) for one in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return pictures.draw()


@pytest.mark.parametrize("name", ["trigger.svg", "match.svg"])
def test_it_is_what_the_program_shows(name: str, drawn: dict[str, str]) -> None:
    assert text_of((ROOT / "docs" / name).read_text()) == text_of(drawn[name]), "run `make docs`"


def test_every_picture_is_shown(drawn: dict[str, str]) -> None:
    assert set(drawn) <= {link.rpartition("/")[2] for page in PAGES for link in links(page)}


def test_colours_and_what_needs_care() -> None:
    svg = picture("\x1b[1;31mbad\x1b[0m <&> ok\nnext\x1b[2m dim\non", "a & b", 20)
    assert '<tspan class="b r">bad</tspan> &lt;&amp;&gt; ok</text>' in svg
    assert 'next<tspan class="d"> dim</tspan></text>' in svg and '<tspan class="d">on</tspan></text>' in svg
    assert text_of(svg) == ["bad <&> ok", "next dim", "on"]
