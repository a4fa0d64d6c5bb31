"""The kinds of values that options of actions take besides those of kinds.py."""

from __future__ import annotations

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
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2
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
    parts = urlsplit(value.text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write one that begins with http:// or https://, such as https://example.org/hook")
    if not value.text.isascii() or " " in value.text:
        raise ValueError("write %20 for a blank, and so on for all that is not ASCII")
    return value.text


def _host(value: Value) -> str:
    if not _HOST.fullmatch(value.text):
        raise ValueError("write a name or an address, such as mail.example.org")
    return value.text


def _header(value: Value) -> tuple[tuple[str, str], ...]:
    name, colon, text = value.text.partition(":")
    if not colon or not _HEADER_NAME.fullmatch(name) or not text.strip().isascii():
        raise ValueError("write one such as 'X-Room: 7'")
    return ((name, text.strip()),)


def _mail_addresses(value: Value) -> tuple[str, ...]:
    addresses = tuple(value.text.split())
    if not addresses or not all(_MAIL_ADDRESS.fullmatch(address) for address in addresses):
        raise ValueError("write one such as admin@example.org")
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
