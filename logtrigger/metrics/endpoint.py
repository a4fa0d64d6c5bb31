"""The metrics over HTTP, for a Prometheus that comes for them: in the forms of its own library (extra `metrics`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any

from logtrigger.metrics.families import Family
from logtrigger.metrics.http import Server

Address = tuple[str, int]  # of the loopback interface
Ask = Callable[[Callable[[Sequence[Family]], None]], None]

_PATIENCE = 5.0  # seconds for the loop to answer
_FRESH = 0.2  # seconds for which an answer is good: who asks all the time shall not keep the loop busy


class Endpoint:
    """Answers `GET /metrics` at an address.

    Args:
        address: where.
        ask: has the families brought, from whatever thread it is called in.

    Raises:
        OSError: nobody can listen there.
    """

    def __init__(self, address: Address, ask: Ask) -> None:
        from prometheus_client import CollectorRegistry, make_wsgi_app

        self.address = address
        host, port = address
        self.name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        latest = Latest(ask)

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            families = latest.families()
            if families is None:
                start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
                return [b"logtrigger does not answer\n"]
            registry = CollectorRegistry(auto_describe=False)
            registry.register(_Collector(families))
            found: Iterable[bytes] = make_wsgi_app(registry)(environ, start_response)
            return found

        self._server = Server(host, port, answer)

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.close()


class Latest:
    """What the daemon last said of itself; asked anew where that is old, for all at once who wait for it."""

    def __init__(self, ask: Ask) -> None:
        self._ask, self._lock = ask, Lock()
        self._families: Sequence[Family] | None = None
        self._since = float("-inf")

    def families(self) -> Sequence[Family] | None:
        """None: it does not answer, as it is stopping perhaps."""
        with self._lock:
            if time.monotonic() - self._since > _FRESH:
                answers: SimpleQueue[Sequence[Family]] = SimpleQueue()
                self._ask(answers.put)
                try:
                    self._families = answers.get(timeout=_PATIENCE)
                except Empty:
                    self._families = None
                self._since = time.monotonic()
            return self._families


class _Collector:
    """The families as that library has them."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def describe(self) -> Iterator[Any]:
        """By which the library finds what `name[]` in a request asks for."""
        return self.collect()

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for family in self._families:
            of = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            labels = list(family.samples[0][0]) if family.samples else []
            made = of(family.name, family.help, labels=labels)
            for given, value in family.samples:
                made.add_metric(list(given.values()), value)
            if family.samples:
                yield made
