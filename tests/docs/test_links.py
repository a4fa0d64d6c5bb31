"""Every link of the pages leads somewhere."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docs.pages import PAGES, ROOT, headings, links

INDEX = ROOT / "docs/README.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert [fault for link in links(page) if (fault := wrong(page, link))] == []


def wrong(page: Path, link: str) -> str:
    """What is wrong with a link of a page; pages of others are not fetched."""
    parts = urlsplit(link)
    if parts.scheme:
        return "" if parts.scheme == "https" and parts.netloc else f"{link}: no address of the web"
    target = (page.parent / parts.path).resolve() if parts.path else page
    if not target.exists():
        return f"{link}: there is no such file"
    if ROOT not in target.parents:
        return f"{link}: leads out of the repository"
    if parts.fragment and parts.fragment not in headings(target):
        return f"{link}: {target.name} has no such heading"
    return ""


def test_a_broken_link_is_found() -> None:
    assert wrong(INDEX, "nowhere.md") and wrong(INDEX, "bans.md#nowhere") and wrong(INDEX, "../../README.md")


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_index_has_every_page(page: Path) -> None:
    assert page == INDEX or page.name in {link.partition("#")[0] for link in links(INDEX)}
