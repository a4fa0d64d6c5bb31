"""Who may ask the running daemon: commands by the control socket, and a Prometheus by HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from logtrigger.control.protocol import Request, Rows
from logtrigger.control.server import Server
from logtrigger.daemon import Daemon
from logtrigger.rule import Settings

if TYPE_CHECKING:
    from logtrigger.metrics.endpoint import Endpoint
    from logtrigger.metrics.families import Family


class Serving:
    """Answers for a daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._control = Server(daemon.loop, daemon.report, self._answer)
        self._metrics: Endpoint | None = None

    def serve(self, settings: Settings) -> None:
        """Answer where these settings say. Raises ControlError where another serves that socket."""
        try:
            if settings.control is not None:
                self._control.serve(settings.control, settings.control_group)
        finally:
            self._serve_metrics(settings.metrics)

    def close(self) -> None:
        """Answer nobody any more."""
        self._control.close()
        if self._metrics is not None:
            self._metrics.close()

    def _answer(self, request: Request) -> Rows:
        from logtrigger.control.desk import Desk  # most daemons are never asked anything

        return Desk(self._daemon).answer(request)

    def _serve_metrics(self, wanted: tuple[str, int] | None) -> None:
        if self._metrics is not None and self._metrics.address != wanted:
            self._metrics.close()
            self._metrics = None
        if self._metrics is None and wanted is not None:
            from logtrigger.metrics.endpoint import Endpoint  # brings a package that few configurations need

            call = self._daemon.loop.call_threadsafe
            try:
                self._metrics = Endpoint(wanted, lambda answer: call(lambda: answer(self._families())))
            except OSError as error:
                fault = f"cannot listen on {wanted[0]} port {wanted[1]}: {error.strerror}"
                self._daemon.report(0, f"metrics: {fault}; work goes on without")

    def _families(self) -> Sequence[Family]:
        from logtrigger.control import measured  # as the desk: most daemons are never asked

        return list(measured.families(self._daemon))
