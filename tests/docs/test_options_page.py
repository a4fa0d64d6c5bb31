"""docs/options.md is what the tables say."""

from __future__ import annotations

from logtrigger.config import options
from tests.docs.pages import headings
from tools import options_page


def test_page_is_what_the_tables_say() -> None:
    assert options_page.PAGE.read_text() == options_page.page(), "run `make docs`"


def test_every_section_and_type_has_its_heading() -> None:
    wanted = {f"config-{name}" for name in options.SECTIONS} | {f"type-{name}" for name in options.ACTIONS}
    assert wanted <= headings(options_page.PAGE)


def test_no_kind_is_left_over() -> None:
    page = options_page.page()
    assert [name for name in options_page.KINDS if f"\n| {name} | {options_page.KINDS[name]} |" not in page] == []
