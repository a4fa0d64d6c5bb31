"""The first example of docs/ecs.md; tests/docs/test_blocks.py tries the others."""

from __future__ import annotations

import json

from tests.docs.pages import ROOT, of_kind
from tests.ecs.conftest import Document


def test_the_first_example(document: Document) -> None:
    first = of_kind(ROOT / "docs/ecs.md", "session")[0]
    shown = json.loads(first.text.partition("\n")[2])
    assert document(shown["message"], "openvpn") == shown
