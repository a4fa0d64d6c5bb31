"""Datasets chosen by name, and the types of the fields that are set."""

from __future__ import annotations

import pytest

from logtrigger.ecs.mapping import Mapping, type_of


def test_some_of_the_datasets(shipped: Mapping) -> None:
    assert shipped.only([]) is shipped
    assert shipped.only(["sshd", "openvpn", "sshd"]).names == ("sshd", "openvpn")
    with pytest.raises(KeyError):
        shipped.only(["ssd"])


def test_mappings_are_compared_by_what_was_written(shipped: Mapping) -> None:
    assert shipped.only(["sshd"]) == Mapping((), shipped.only(["sshd"]).written) != shipped.only(["openvpn"])


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("client.ip", "ip"),
        ("process.pid", "long"),
        ("openvpn.peer.ip", "custom"),
        ("openvpn", None),
        ("labels.room", "keyword"),
        ("labels.a.b", None),
        ("client.adress", None),
    ],
)
def test_type(target: str, kind: str | None) -> None:
    assert type_of(target, "openvpn") == kind
