"""The kinds of values that options of actions take besides those of kinds.py."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from logtrigger.config.kinds import Kind, one_of, ports
from logtrigger.config.uci import Value
from logtrigger.config.words import listed, suggestion
from logtrigger.errors import PatternError
from logtrigger.logfiles.forms import FACILITIES
from logtrigger.logfiles.names import Template as PathTemplate
from logtrigger.templates import Template

TYPES = ("alerta", "ban", "ecs", "log", "mail", "notify", "script", "syslog", "webhook")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,254}}\Z){_LABEL}(?:\.{_LABEL})*\.?")  # RFC 1035, 2.3.4
_DOTTED = re.compile(r"[0-9.]+")  # an address of IPv4, or nothing
_BEGINNING = re.compile(r"https?://", re.I)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2
_FRAMING = ("content-length", "transfer-encoding", "connection")
_MAIL_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]]+@[A-Za-z0-9.-]+|[a-z][a-z0-9._-]*")  # the latter on this machine
# Elasticsearch's own rule for names of indices and data streams: lower case, none of these characters, no such beginning.
_INDEX = re.compile(r"(?![-_+.])[^A-Z\\/*?\"<>| ,#:]{1,255}")
_SPECIAL = (("\\n", "\n"), ("\\t", "\t"))  # no value can hold these themselves


def _template(value: Value) -> Template:
    text = value.text
    for written, meant in _SPECIAL:
        text = text.replace(written, meant)
    try:
        return Template(text)
    except PatternError as error:
        raise ValueError(f"{error}: {error.remedy}") from None


def _template_list(value: Value) -> tuple[Template, ...]:
    return (_template(value),)


def _named_template(value: Value) -> tuple[tuple[str, Template], ...]:
    name, equals, text = value.text.partition("=")
    if not equals or not _NAME.fullmatch(name):
        raise ValueError("write one such as 'user={user}'")
    return ((name, _template(Value(text, value.place))),)


def _path_template(value: Value) -> PathTemplate:
    return PathTemplate(value.text, None)


def _url(value: Value) -> str:
    """What urllib will take, and nothing that it would misread at run time."""
    text = value.text
    if not _BEGINNING.match(text):
        raise ValueError("write one that begins with http:// or https://, such as https://example.org/hook")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("write %20 for a blank, and so on for all that is not ASCII")
    if "{" in text or "}" in text:
        raise ValueError("no field can stand in it: write that into the body; of braces %7B and %7D")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{error}: write one such as https://example.org:8443/hook") from None
    if parts.username is not None or "@" in parts.netloc:
        raise ValueError("no user or password may stand in it: write them as the action's own options say")
    if "#" in text:
        raise ValueError("what follows the # is never sent: remove it, or write %23 for the character")
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("write a port from 1 to 65535, or none")
    if not parts.hostname or not _is_host(parts.hostname):
        raise ValueError("no host stands in it: write one such as https://example.org/hook")
    return text


def _api(value: Value) -> str:
    """The beginning of URLs: a path is written behind it."""
    if "?" in value.text:
        raise ValueError("nothing may follow its path: leave out the ? and what is behind it")
    return _url(value)


def _is_host(text: str) -> bool:
    if ":" in text or _DOTTED.fullmatch(text):
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return False
        return True
    return bool(_HOST.fullmatch(text))


def _host(value: Value) -> str:
    host, _, port = value.text.rpartition(":")
    if port.isdecimal() and _is_host(host) and ":" not in host:
        raise ValueError(f"write option port '{port}', and only {host} here")
    if not _is_host(value.text):
        raise ValueError("write a name or an address, such as mail.example.org")
    return value.text


def _header(value: Value) -> tuple[tuple[str, str], ...]:
    name, colon, text = value.text.partition(":")
    if not colon or not _HEADER_NAME.fullmatch(name) or not text.strip().isascii() or not text.strip().isprintable():
        raise ValueError("write one such as 'X-Room: 7'")
    if name.lower() in _FRAMING:
        raise ValueError("that is said by logtrigger itself, and another word would break the request: remove it")
    if "{" in text or "}" in text:
        raise ValueError("no field can stand in it: write that into the body")
    return ((name, text.strip()),)


def _mail_addresses(value: Value) -> tuple[str, ...]:
    addresses = tuple(value.text.split())
    if not addresses or not all(_MAIL_ADDRESS.fullmatch(address) for address in addresses):
        raise ValueError("write addresses alone, with blanks between them, such as admin@example.org root")
    return addresses


def _mail_address(value: Value) -> str:
    if len(value.text.split()) != 1:
        raise ValueError("write one such as watch@example.org")
    return _mail_addresses(value)[0]


def _port(value: Value) -> int:
    if len(value.text.split()) != 1:
        raise ValueError("write one number")
    return ports(value)[0]


def _index(value: Value) -> str:
    if not _INDEX.fullmatch(value.text):
        raise ValueError("write one such as logs-openvpn-default, in small letters")
    return value.text


def _texts(value: Value) -> tuple[str, ...]:
    return (value.text,)


def _type(value: Value) -> str:
    if value.text not in TYPES:
        raise ValueError(suggestion(value.text, TYPES) or f"write {listed(TYPES, 'or')}")
    return value.text


TYPE = Kind("kind of action", _type)
TEMPLATE = Kind("text with fields", _template)
TEMPLATES = Kind("list of texts with fields", _template_list, many=True)
NAMED_TEMPLATES = Kind("list of NAME=text with fields", _named_template, many=True)
PATH_TEMPLATE = Kind("path with fields", _path_template)
URL = Kind("URL", _url)
API = Kind("URL", _api)
HOST = Kind("name or address of a host", _host)
PORT = Kind("port", _port)
HEADERS = Kind("list of NAME: text", _header, many=True)
MAIL_ADDRESS = Kind("mail address", _mail_address)
MAIL_ADDRESSES = Kind("list of mail addresses", _mail_addresses, many=True)
INDEX = Kind("name of an index", _index)
TEXTS = Kind("list", _texts, many=True)
SAYS = Kind("alert or heartbeat", one_of("alert", "heartbeat"))
FACILITY = Kind("facility of syslog", one_of(*FACILITIES))
METHOD = Kind("method of HTTP", one_of("POST", "PUT", "PATCH"))
SECURITY = Kind("tls, starttls or none", one_of("tls", "starttls", "none"))
TRANSPORT = Kind("udp, tcp or tls", one_of("udp", "tcp", "tls"))
SEVERITY = Kind("word", lambda value: value.text)  # what it may be depends on the action's type
