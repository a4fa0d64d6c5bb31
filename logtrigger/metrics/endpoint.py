"""The metrics over HTTP, for a Prometheus that comes for them; by its own library (extra `metrics`), in threads of its own.

The library's server is not used: that of Debian 12's version cannot be stopped.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

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
        from prometheus_client import CollectorRegistry, make_wsgi_app

        self.address = address
        host, port = address
        self.name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(ask))
        kind = _Server6 if ":" in host else _Server
        self._server = make_server(host, port, make_wsgi_app(registry), kind, _Silent)
        self._thread = Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Who asks is nobody's news."""


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
