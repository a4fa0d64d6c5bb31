"""Nothing is blocked, and what would be is remembered for its time."""

from __future__ import annotations

from logtrigger.firewall import null
from logtrigger.firewall.base import Entry
from logtrigger.rule import FirewallOptions
from tests.firewall.conftest import FakeHost


def test_remembers(host: FakeHost) -> None:
    firewall = null.make(FirewallOptions(), host)
    firewall.open()
    firewall.add([Entry("192.0.2.1", 600.0), Entry("192.0.2.2", None), Entry("192.0.2.3", 0.0), Entry("192.0.2.4", None)])
    assert host.present(firewall) == {"192.0.2.1", "192.0.2.2", "192.0.2.4"}
    assert (2, "192.0.2.1 would be blocked, but backend null blocks nothing") in host.reports
    firewall.remove(["192.0.2.4", "192.0.2.5"])
    firewall.close()
    assert host.present(firewall) == {"192.0.2.1", "192.0.2.2"}
    firewall.tear_down()
    assert host.present(firewall) == set()
