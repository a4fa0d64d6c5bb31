"""The table of ECS's fields."""

from __future__ import annotations

import pytest

from logtrigger.ecs import fields


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("@timestamp", "date"),
        ("client.ip", "ip"),
        ("client.nat.port", "long"),
        ("client.as.organization.name", "keyword"),
        ("client.geo.location", "geo_point"),
        ("log.syslog.facility.code", "long"),
        ("observer.egress.interface.name", "keyword"),
        ("process.parent.pid", "long"),
        ("tls.client.x509.issuer.common_name", "keyword"),
        ("tls.established", "boolean"),
        ("user.target.group.name", "keyword"),
        ("http.request.body.bytes", "long"),
    ],
)
def test_type(name: str, kind: str) -> None:
    assert fields.TYPES[name] == kind


def test_lists_are_those_that_find_events() -> None:
    assert fields.LISTS == {"event.category", "event.type", *(f"related.{name}" for name in ("hash", "hosts", "ip", "user"))}
    assert {"tags", "host.ip", "observer.ip", "process.args", "user.roles"} <= fields.MANY - fields.LISTS


def test_nothing_is_a_value_and_holds_others() -> None:
    assert not fields.OBJECTS & fields.TYPES.keys()
    assert {"client", "client.geo", "log.syslog", "labels"} <= fields.OBJECTS


def test_every_type_is_elasticsearch_s() -> None:
    known = "keyword constant_keyword wildcard match_only_text ip long float date boolean geo_point flattened".split()
    assert set(fields.TYPES.values()) <= set(known)
