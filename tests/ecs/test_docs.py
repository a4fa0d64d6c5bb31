"""The tutorial: its example does what it says."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

from logtrigger.config import ecs, ecssamples, uci
from logtrigger.config.words import Report
from logtrigger.ecs.normaliser import Normaliser
from tests.ecs.conftest import NOW, Document

TEXT = (Path(__file__).parents[2] / "docs/ecs.md").read_text()


def test_a_program_of_your_own() -> None:
    written = TEXT.split("in a file `vsftpd.conf`:\n")[1].split("**Look at it:**")[0]
    report = Report()
    sections = uci.parse(textwrap.dedent(written).encode(), "vsftpd.conf", report)
    mapping = ecs.settle(sections, report)
    assert report.complaints == [] and ecssamples.failures(sections, mapping) == []
    log = textwrap.dedent(TEXT.split("vsftpd writes\n")[1].split("**Try")[0]).strip() + "\n"
    shown = re.findall(r'^    (\{"@timestamp".*)$', TEXT, re.MULTILINE)
    assert list(Normaliser(mapping, NOW).documents(log.encode())) == shown


def test_the_first_example(document: Document) -> None:
    shown = json.loads(TEXT.split("| jq .\n")[1].split("\n\nThree")[0])
    assert document(shown["message"], "openvpn") == shown
