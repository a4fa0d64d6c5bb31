"""The exposition's text: what its own library reads is what was put in."""

from __future__ import annotations

import pytest

from logtrigger.metrics.families import Family, text

FAMILIES = [
    Family("a_total", "counter", "Help \\ with\nodd text.", (({"rule": 'a "b" \\ c\nd'}, 3.0), ({"rule": "ä"}, 0.5))),
    Family("b_bytes", "gauge", "One value.", (({}, 123456789012.0),)),
    Family("c", "gauge", "Several labels.", (({"x": "1", "y": "2"}, -0.25),)),
    Family("d", "gauge", "None.", ()),
]


@pytest.mark.package("prometheus_client")
def test_text_is_what_prometheus_reads() -> None:
    from prometheus_client.parser import text_string_to_metric_families

    found = list(text_string_to_metric_families("".join(f"{line}\n" for line in text(FAMILIES))))
    assert [(one.name, one.type, one.documentation) for one in found] == [
        (one.name.removesuffix("_total"), one.kind, one.help) for one in FAMILIES[:3]
    ]
    assert [[(sample.labels, sample.value) for sample in one.samples] for one in found] == [
        [(dict(labels), value) for labels, value in one.samples] for one in FAMILIES[:3]
    ]


def test_whole_numbers_are_written_whole() -> None:
    assert list(text(FAMILIES[1:2]))[-1] == "b_bytes 123456789012"
