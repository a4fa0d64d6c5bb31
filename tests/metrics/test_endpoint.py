"""Metrics over HTTP: to those on this machine, and what comes is what the command says."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer

import pytest

from logtrigger.metrics import endpoint
from logtrigger.metrics.endpoint import Endpoint, Latest
from logtrigger.metrics.families import Family
from tests.cli.asking import NO_FIREWALL, ask, asked
from tests.ports import free_port

pytestmark = pytest.mark.package("prometheus_client")


def get(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        text: str = answer.read().decode()
        return text


def test_over_http_and_after_a_reload_elsewhere(tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    with asked(tmp_path, metrics=f"127.0.0.1:{first}") as one:
        one.write("hit a")
        one.wait_runs(1)
        assert 'logtrigger_rule_triggers_total{rule="Hit"} 1.0' in get(first).splitlines()
        one.configure(one.rule(), NO_FIREWALL, metrics=second)
        assert ask(one, "reload").exit_code == 0
        assert "logtrigger_bans 0.0" in get(second).splitlines()
        with pytest.raises(urllib.error.URLError):
            get(first)
        names = {line.split()[2] for line in ask(one, "metrics").stdout.splitlines() if line.startswith("# TYPE")}
        assert names == {line.split()[2] for line in get(second).splitlines() if line.startswith("# TYPE")}


def test_many_who_ask_at_once_cost_one_answer() -> None:
    asked = []

    def ask(answer: Callable[[Sequence[Family]], None]) -> None:
        asked.append(answer)
        Timer(0.1, answer, [[Family("logtrigger_bans", "gauge", "Bans.", (({}, 1.0),))]]).start()

    latest = Latest(ask)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: latest.families(), range(8)))
    assert len(asked) == 1
    assert {one[0].name for one in found if one} == {"logtrigger_bans"} and all(found)


def test_some_metrics_only(tmp_path: Path) -> None:
    port = free_port()
    with asked(tmp_path, metrics=port):
        url = f"http://127.0.0.1:{port}/metrics?name[]=logtrigger_bans&name[]=logtrigger_unbans_total"
        with urllib.request.urlopen(url, timeout=20) as answer:
            said = answer.read().decode().splitlines()
    assert [line for line in said if line[0] != "#"] == ["logtrigger_bans 0.0", "logtrigger_unbans_total 0.0"]


def test_a_daemon_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus shall see that nothing came, instead of nothing to see."""
    monkeypatch.setattr(endpoint, "_PATIENCE", 0.05)
    port = free_port()
    silent = Endpoint(("127.0.0.1", port), lambda answer: None)
    with pytest.raises(urllib.error.HTTPError, match="503") as error:
        get(port)
    error.value.close()
    silent.close()


def test_a_port_that_is_taken_is_told_and_the_work_goes_on(tmp_path: Path) -> None:
    port = free_port()
    with asked(tmp_path, metrics=port) as one:
        other = tmp_path / "other"
        other.mkdir()
        with asked(other, metrics=port) as second:
            second.write("hit a")
            second.wait_runs(1)
            assert f"metrics: cannot listen on 127.0.0.1 port {port}: Address already in use; work goes on" in second.output
        assert "logtrigger_bans 0.0" in get(port).splitlines()
        assert one.process is not None


def test_ipv6(tmp_path: Path) -> None:
    port = free_port()
    with asked(tmp_path, metrics=f"[::1]:{port}"), urllib.request.urlopen(f"http://[::1]:{port}/metrics", timeout=20) as answer:
        assert b"logtrigger_bans 0.0" in answer.read().splitlines()


def test_the_library_s_own_server_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian 12's gives nothing back, neither the server nor its thread."""
    import prometheus_client

    monkeypatch.setattr(prometheus_client, "start_http_server", lambda *_: None)
    port = free_port()
    one = endpoint.Endpoint(("127.0.0.1", port), lambda answer: answer([]))
    assert get(port) == ""
    one.close()
    with pytest.raises(urllib.error.URLError):
        get(port)
