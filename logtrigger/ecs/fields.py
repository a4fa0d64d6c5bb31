"""The fields of the Elastic Common Schema that a line of a log can fill: names, types, and which hold lists.

Taken from ECS 9.3, generated/elasticsearch/composable/component/*.json and schemas/*.yml of https://github.com/elastic/ecs
(Apache License 2.0). Left out are sets that no log line fills, such as those of executables and of machine learning.
"""

from __future__ import annotations

VERSION = "9.3"

# What several sets have below them. A field is written NAME, NAME:TYPE where it is no keyword, and with a * where it may hold
# several values.
_SHARED = {
    "GEO": "city_name continent_code continent_name country_iso_code country_name location:geo_point name postal_code "
    "region_iso_code region_name timezone",
    "AS": "number:long organization.name",
    "GROUP": "domain id name",
    "HASH": "md5 sha1 sha256 sha384 sha512 ssdeep tlsh",
    "OS": "family full kernel name platform type version",
    "INTERFACE": "alias id name",
    "VLAN": "id name",
    "USER": "domain email full_name group=GROUP hash id name roles*",
    "SIDE": "interface=INTERFACE vlan=VLAN zone",
    "END": "address as=AS bytes:long domain geo=GEO ip:ip mac nat.ip:ip nat.port:long packets:long port:long "
    "registered_domain subdomain top_level_domain user=USER",
    "CODE": "code:long name",
    "NAMES": "common_name* country* distinguished_name locality* organization* organizational_unit* state_or_province*",
    "X509": "alternative_names* issuer=NAMES not_after:date not_before:date public_key_algorithm public_key_curve "
    "public_key_exponent:long public_key_size:long serial_number signature_algorithm subject=NAMES version_number",
    "TLSEND": "certificate certificate_chain* hash.md5 hash.sha1 hash.sha256 issuer not_after:date not_before:date subject "
    "x509=X509",
    "BODY": "body.bytes:long body.content:wildcard bytes:long mime_type",
    "FILE": "accessed:date attributes* created:date ctime:date device directory drive_letter extension gid group hash=HASH "
    "inode mime_type mode mtime:date name owner path size:long target_path type uid",
    "PROCESS": "args* args_count:long command_line:wildcard end:date entity_id executable exit_code:long hash=HASH name "
    "pgid:long pid:long start:date thread.id:long thread.name title uptime:long user=USER vpid:long working_directory",
}
_SETS = {
    "": "@timestamp:date message:match_only_text tags*",
    "agent": "build.original ephemeral_id id name type version",
    "client": "=END",
    "cloud": "account.id account.name availability_zone instance.id instance.name machine.type project.id project.name "
    "provider region service.name",
    "container": "id image.name image.tag* name runtime",
    "data_stream": "dataset:constant_keyword namespace:constant_keyword type:constant_keyword",
    "destination": "=END",
    "dns": "header_flags* id op_code question.class question.name question.registered_domain question.subdomain "
    "question.top_level_domain question.type resolved_ip:ip* response_code type",
    "ecs": "version",
    "email": "bcc.address* cc.address* content_type delivery_timestamp:date direction from.address* local_id "
    "message_id:wildcard origination_timestamp:date reply_to.address* sender.address subject to.address* x_mailer",
    "error": "code id message:match_only_text stack_trace:wildcard type",
    "event": "action agent_id_status category** code created:date dataset duration:long end:date hash id ingested:date kind "
    "module original outcome provider reason reference risk_score:float risk_score_norm:float sequence:long severity:long "
    "start:date timezone type** url",
    "file": "=FILE",
    "group": "=GROUP",
    "host": "architecture boot.id domain geo=GEO hostname id ip:ip* mac* name os=OS type uptime:long",
    "http": "request.id request.method request.referrer request=BODY response.status_code:long response=BODY version",
    "log": "file.path level logger origin.file.line:long origin.file.name origin.function syslog.appname "
    "syslog.facility=CODE syslog.hostname syslog.msgid syslog.priority:long syslog.procid syslog.severity=CODE "
    "syslog.structured_data:flattened syslog.version",
    "network": "application bytes:long community_id direction forwarded_ip:ip iana_number inner.vlan=VLAN name packets:long "
    "protocol transport type vlan=VLAN",
    "observer": "egress=SIDE geo=GEO hostname ingress=SIDE ip:ip* mac* name os=OS product serial_number type vendor version",
    "organization": "id name",
    "package": "architecture build_version checksum description install_scope installed:date license name path reference "
    "size:long type version",
    "process": "=PROCESS parent=PROCESS",
    "related": "hash** hosts** ip:ip** user**",
    "rule": "author* category description id license name reference ruleset uuid version",
    "server": "=END",
    "service": "address environment ephemeral_id id name node.name node.role node.roles* state type version",
    "source": "=END",
    "span": "id",
    "threat": "framework indicator.ip:ip indicator.type tactic.id* tactic.name* tactic.reference* technique.id* "
    "technique.name* technique.reference*",
    "tls": "cipher client=TLSEND client.ja3 client.server_name client.supported_ciphers* curve established:boolean "
    "next_protocol resumed:boolean server=TLSEND server.ja3s version version_protocol",
    "trace": "id",
    "transaction": "id",
    "url": "domain extension fragment full:wildcard original:wildcard password path:wildcard port:long query "
    "registered_domain scheme subdomain top_level_domain username",
    "user": "=USER changes=USER effective=USER target=USER",
    "user_agent": "device.name name original os=OS version",
    "vulnerability": "category* classification description enumeration id reference report_id scanner.vendor score.base:float "
    "score.version severity",
}

_ALWAYS, _MAY = "**", "*"


def _below(prefix: str, words: str) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for word in words.split():
        name, equals, shared = word.partition("=")
        path = ".".join(part for part in (prefix, name) if part)
        if equals:
            found |= _below(path, _SHARED[shared])
            continue
        plain = path.rstrip("*")
        called, _, kind = plain.partition(":")
        found[called] = (kind or "keyword", path[len(plain) :])
    return found


_ALL = {name: facts for prefix, words in _SETS.items() for name, facts in _below(prefix, words).items()}

# Field -> its type in Elasticsearch.
TYPES = {name: kind for name, (kind, _) in _ALL.items()}
# Fields that hold a list whenever they hold something, as ECS asks for those by which events are found.
LISTS = frozenset(name for name, (_, many) in _ALL.items() if many == _ALWAYS)
# Fields that may hold several values: one alone stands by itself, which is the same to Elasticsearch.
MANY = frozenset(name for name, (_, many) in _ALL.items() if many)
# What stands above other fields, and so holds no value.
OBJECTS = frozenset(name.rsplit(".", depth)[0] for name in TYPES for depth in range(1, name.count(".") + 1)) | {"labels"}
