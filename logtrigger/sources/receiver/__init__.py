"""The syslog receiver: what comes in at the `listen` addresses of a `config source`.

    datagrams   unix, udp                  each datagram is one message
    streams     tcp, tls                   framing takes messages out of them
    notices                                what is said of those who do wrong

`make` is the way in. Each kind is loaded when somebody listens with it: TLS is large.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

from logtrigger.errors import SourceError
from logtrigger.model import Position
from logtrigger.rule import SourceOptions
from logtrigger.sources.base import Host, Source
from logtrigger.sources.receiver.addresses import ListenAddress, needs_allow, parse_listen

__all__ = ["ListenAddress", "Receiver", "make", "needs_allow", "parse_listen"]


def make(host: Host, options: SourceOptions) -> Receiver:
    """A source that receives at all of `options.listen`. Raises ValueError where one of these cannot be read."""
    return Receiver(options.name, [_part(host, options, parse_listen(text)) for text in options.listen])


class Receiver:
    """One source with several sockets."""

    def __init__(self, name: str, parts: Iterable[Source]) -> None:
        self.name = name
        self.parts = list(parts)

    def open(self) -> None:
        """Listen everywhere, or nowhere. Raises SourceError."""
        with ExitStack() as undo:
            for part in self.parts:
                part.open()
                undo.callback(part.close)
            undo.pop_all()

    def close(self) -> None:
        for part in self.parts:
            part.close()

    def pause(self) -> None:
        for part in self.parts:
            part.pause()

    def resume(self) -> None:
        for part in self.parts:
            part.resume()

    def positions(self) -> Iterable[Position]:
        return ()

    def reload(self) -> None:
        """Read certificates again, for connections to come; those that are there stay.

        Raises SourceError where they are of no use: the former ones stay in force then.
        """
        for part in self.parts:
            if hasattr(part, "reload"):
                part.reload()


def _part(host: Host, options: SourceOptions, address: ListenAddress) -> Source:
    if address.kind == "unix":
        from logtrigger.sources.receiver.unix import UnixReceiver

        return UnixReceiver(host, options.name, address.path)
    if needs_allow(address) and not options.allow:
        raise SourceError(f"{options.name}: {address} is open to others (say who may send, with 'allow')")
    if address.kind == "udp":
        from logtrigger.sources.receiver.udp import UdpReceiver

        return UdpReceiver(host, options.name, address, options.allow)
    from logtrigger.sources.receiver.streams import Limits, StreamListener

    limits = Limits(options.max_connections, options.idle)
    if address.kind == "tcp":
        return StreamListener(host, options.name, address, options.allow, limits)
    from logtrigger.sources.receiver.tls import Credentials, TlsListener

    files = Credentials(options.certificate, options.certificate_key, options.authority, options.peer_names)
    return TlsListener(host, options.name, address, options.allow, limits, files)
