"""The metrics over HTTP, for a Prometheus that comes for them; by its own library (extra `metrics`), in threads of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from logtrigger.metrics.families import Family

Address = tuple[str, int]  # of the loopback interface
Ask = Callable[[Callable[[Sequence[Family]], None]], None]

_PATIENCE = 5.0  # seconds for the loop to answer


class Endpoint:
    """Answers `GET /metrics` at an address.

    Args:
        address: where.
        ask: has the families brought, from whatever thread it is called in.

    Raises:
        OSError: nobody can listen there.
    """

    def __init__(self, address: Address, ask: Ask) -> None:
        from prometheus_client import CollectorRegistry, start_http_server

        self.address = address
        host, port = address
        self.name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(ask))
        self._server, self._thread = start_http_server(port, host, registry)

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Collector:
    """The families as that library has them."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def describe(self) -> Iterator[Any]:
        """Nothing is known before it is asked for."""
        return iter(())

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        answers: SimpleQueue[Sequence[Family]] = SimpleQueue()
        self._ask(answers.put)
        try:
            families = answers.get(timeout=_PATIENCE)
        except Empty:
            return  # a daemon that is stopping answers no more
        for family in families:
            of = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            labels = list(family.samples[0][0]) if family.samples else []
            made = of(family.name, family.help, labels=labels)
            for given, value in family.samples:
                made.add_metric(list(given.values()), value)
            if family.samples:
                yield made
