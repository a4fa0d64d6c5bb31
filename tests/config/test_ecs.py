"""`config dataset` and `config event`: what is wrong with them, and actions that take them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger import config, geoip
from logtrigger.actions.making import sender_of
from logtrigger.actions.senders.ecs import EcsFile
from logtrigger.config import build
from logtrigger.errors import ConfigError
from logtrigger.model import Trigger
from tests import geodata

DATASET = "config dataset ftp\n list program vsftpd\nconfig event\n option name a\n option dataset ftp\n"
GOOD = DATASET + " option pattern 'LOGIN %s from %s'\n option fields 'user ip'\n"  # lines 1 to 7
Said = Callable[[str], list[str]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + " list set client.ip=ip\n list value event.outcome=success\n list set ftp.who=user", []),
        (
            GOOD + " list set client.adress=ip",
            ["rules.conf:8: warning: 'client.adress' is no field of ECS 9.3 (did you mean 'client.address'?)"],
        ),
        (
            GOOD + " list set zzz=ip",
            ["rules.conf:8: warning: 'zzz' is no field of ECS 9.3 (what is your own belongs below 'ftp.')"],
        ),
        (
            GOOD + " list set client.ip=user",
            ["rules.conf:8: error: 'set': client.ip is of type ip, and 'user' of type text (give the field the type ip)"],
        ),
        (
            GOOD + " list set client.port=user",
            [
                "rules.conf:8: error: 'set': client.port is of type long, and 'user' of type text"
                " (write %d, or give the field the type int or port)"
            ],
        ),
        (
            GOOD + " list set 'client.ip=ip|lower'",
            ["rules.conf:8: error: 'set': client.ip is of type ip, and 'ip|lower' of type text (give the field the type ip)"],
        ),
        (
            GOOD + " list set client.ip=ipp",
            ["rules.conf:8: error: 'set' names 'ipp', which is no field of the event (did you mean 'ip'?)"],
        ),
        (
            GOOD + " list set 'user.name=user|dnname'",
            ["rules.conf:8: error: 'set': there is no transform 'dnname' (did you mean 'dn_name'?)"],
        ),
        (GOOD + " list set client.ip", ["rules.conf:8: error: 'set' cannot be 'client.ip' (write one such as 'client.ip=ip')"]),
        (
            GOOD + " list value client.port=many",
            ["rules.conf:8: error: 'value': client.port is of type long, which 'many' is not (mend the value)"],
        ),
        (
            GOOD + " list value tls.resumed=yes",
            ["rules.conf:8: error: 'value': tls.resumed is of type boolean, which 'yes' is not (mend the value)"],
        ),
        (
            GOOD + " list value 'client.ip={ip}'",
            ["rules.conf:8: error: 'value': client.ip is of type ip (write list set 'client.ip=FIELD')"],
        ),
        (
            GOOD + " list value 'event.reason={usr}'",
            ["rules.conf:8: error: 'value': there is no field 'usr' (did you mean 'user'?)"],
        ),
        (
            GOOD + " list value client=x",
            ["rules.conf:8: error: 'value': client holds other fields (write one of those, such as client.address=…)"],
        ),
        (
            GOOD + " list set labels=user",
            ["rules.conf:8: error: 'set': labels holds other fields (write one of those, such as labels.name=…)"],
        ),
        (
            GOOD + " list value client.port=-5",
            ["rules.conf:8: error: 'value': client.port cannot be -5 (write a number from 0 to 65535)"],
        ),
        (
            GOOD + " list value event.severity=99999999999999999999",
            [
                "rules.conf:8: error: 'value': event.severity cannot be 99999999999999999999"
                " (write a number from -9223372036854775808 to 9223372036854775807)"
            ],
        ),
        (
            GOOD + " list value event.severity=1_000",
            ["rules.conf:8: error: 'value': event.severity is of type long, which '1_000' is not (mend the value)"],
        ),
        (
            GOOD + " list value event.risk_score=nan",
            ["rules.conf:8: error: 'value': event.risk_score is of type float, which 'nan' is not (mend the value)"],
        ),
        (
            GOOD + " list set 'user.name=user|'",
            [
                "rules.conf:8: error: 'set': nothing stands behind the bar of 'user|'"
                " (write user.name=user, or a transform: base, dn_domain, dn_name, ip_version, lower, upper)"
            ],
        ),
        (
            GOOD + " list set message=user",
            ["rules.conf:8: error: 'set': every document has its own message (name another field)"],
        ),
        (
            GOOD + " list value client.geo.location=x",
            [
                "rules.conf:8: error: 'value': client.geo.location is of type geo_point, which no text fills"
                " (name another field)"
            ],
        ),
        (
            GOOD + " list set ftp.a=user\n list set ftp.a.b=user",
            ["rules.conf:8: error: 'ftp.a' cannot be a value and stand above others (name another field)"],
        ),
        (DATASET, ["rules.conf:3: error: the event has no pattern (write one of pattern, format and regex)"]),
        (
            DATASET + " option pattern x\n option regex y",
            ["rules.conf:3: error: the event has 'pattern' and 'regex' (write one of pattern, format and regex)"],
        ),
        (
            DATASET + " option pattern 'vsftpd[%d]: x'",
            [
                "rules.conf:6: error: 'pattern', column 1: the pattern begins with a program's tag"
                " (leave it out: a message begins behind it)"
            ],
        ),
        (
            DATASET + " option pattern 'x %s'\n option fields 'a b'",
            ["rules.conf:7: error: 'fields': 2 fields but 1 conversion ('b' has none; drop it or add a conversion)"],
        ),
        (
            DATASET + " list pattern x\n list fields a\n list fields b",
            ["rules.conf:8: error: 2 lists of fields for 1 pattern (write 'fields' once for all patterns, or once for each)"],
        ),
        (
            GOOD.replace("dataset ftp\n option pattern", "dataset fpt\n option pattern"),
            ["rules.conf:5: error: there is no dataset 'fpt' (did you mean 'ftp'?)"],
        ),
        (
            GOOD + GOOD.partition("vsftpd\n")[2],
            ["rules.conf:8: error: an event is called 'a' at rules.conf:3 already (give each event a name of its own)"],
        ),
        (
            "config dataset ftp\nconfig dataset ftp",
            [
                "rules.conf:2: error: a dataset is called 'ftp' at rules.conf:1 already (join the two)",
                "rules.conf:2: error: a section is called 'ftp' on line 1 already"
                " (uci would merge the two: choose another name or none)",
            ],
        ),
        ("config dataset", ["rules.conf:1: error: the dataset has no name (write: config dataset 'NAME')"]),
    ],
)
def test_what_check_says(complaints: Said, text: str, said: list[str]) -> None:
    assert [one for one in complaints(text) if "no rule" not in one] == said


def checked(write: Callable[[str, str], Path], text: str) -> list[str]:
    return list(map(str, build.read(write("rules.conf", text)).complaints))


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ("list expect 'LOGIN bob from 10.0.0.1 -> client.ip=10.0.0.1 user.name=bob'", ""),
        ("list expect 'LOGIN a -> b from 10.0.0.1 -> user.name=a -> b'", ""),
        ("list expect 'LOGIN bob from 10.0.0.1'", ""),
        ("list reject 'LOGIN bob'", ""),
        ("list expect 'LOGIN bob'", "the line is no event (a pattern takes the whole message; try it with logtrigger match)"),
        (
            "list expect 'LOGIN bob from 10.0.0.1 -> user.name=eve'",
            "user.name is 'bob', not 'eve' (mend the event or the sample)",
        ),
        (
            "list expect 'LOGIN bob from 10.0.0.1 -> user.nam=bob'",
            "the document has no user.nam (did you mean 'user.name'?)",
        ),
        (
            "list expect 'LOGIN bob from 10.0.0.1 -> client.ip=10.0.0.1 user.nam=bob'",
            "the document has no user.nam (did you mean 'user.name'?)",
        ),
        (
            "list expect 'LOGIN bob from 10.0.0.1 -> client.ip=10.0.0.1 event.outcome=failure user.name=bob'",
            "the document has no event.outcome (it sets client.ip, user.name, @timestamp and message)",
        ),
        (
            "list expect 'LOGIN bob from 10.0.0.1 -> @timestamp=2023-10-31T15:09:59Z'",
            "the document has no @timestamp (what it is set from is empty in this line, or no such value)",
        ),
        ("list reject 'LOGIN bob from 10.0.0.1'", "the line is one: 'LOGIN bob from 10.0.0.1' (make the pattern narrower)"),
    ],
)
def test_samples(write: Callable[[str, str], Path], sample: str, said: str) -> None:
    option = sample.split()[1]
    got = checked(write, f"{GOOD} list set client.ip=ip\n list set user.name=user\n {sample}\n")
    assert got == ([f"rules.conf:10: error: '{option}' of event 'a': {said}"] if said else [])


def test_an_earlier_event_takes_the_line(write: Callable[[str, str], Path]) -> None:
    later = "config event\n option name b\n option dataset ftp\n option pattern 'LOGIN %s from here'\n"
    taken = GOOD.replace("from %s", "%s").replace("user ip", "user").replace("LOGIN %s %s", "LOGIN %s")
    got = checked(write, f"{taken}{later} list expect 'LOGIN bob from here'\n")
    said = "the line is event 'a' (write this one before it, or make that one narrower)"
    assert got == [f"rules.conf:12: error: 'expect' of event 'b': {said}"]


RULE = "config rule\n option name r\n option pattern 'x %s'\n list action docs\n"
ACTION = "config action docs\n option type ecs\n"


def test_an_action_takes_the_configuration_s_datasets_and_the_shipped_ones(
    write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    own = GOOD + " list set client.ip=ip\n"
    settings, said = config.load(write("rules.conf", f"{own}{RULE}{ACTION} option path {tmp_path}/docs/{{name}}.ndjson\n"))
    assert said == ()
    sender = sender_of(settings.actions[0])
    assert isinstance(sender, EcsFile)
    for line in (
        "Oct 31 15:09:55 gate vsftpd[1]: LOGIN bob from 10.0.0.1",
        "Oct 31 15:09:55 gate sshd[1]: Invalid user x from 10.0.0.2",
    ):
        sender.send([Trigger("i", "r", 1_700_000_000.0, 1, (), {}, line, "", "log")])
    sender.close()
    first, second = (tmp_path / "docs/r.ndjson").read_text().splitlines()
    assert (json.loads(first)["client"]["ip"], json.loads(second)["source"]["ip"]) == ("10.0.0.1", "10.0.0.2")


@pytest.mark.package("geoip2")
def test_an_action_notices_that_a_database_is_replaced(
    write: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the addresses that it has told of before, too."""
    database = geodata.write(tmp_path / "places.mmdb")
    places = f"config logtrigger\n list geoip {database}\n"
    settings, _ = config.load(write("rules.conf", f"{places}{RULE}{ACTION} option path {tmp_path}/docs.ndjson\n"))
    monkeypatch.setattr(geoip, "LOOK_EVERY", 0.0)
    sender = sender_of(settings.actions[0])
    line = "Oct 31 15:09:55 gate sshd[1]: Invalid user x from 192.0.2.7"
    for number in range(2):
        sender.send([Trigger(f"i{number}", "r", 1_700_000_000.0, 1, (), {}, line, "", "log")])
        geodata.write(database, {"192.0.2.0/24": geodata.SWEDEN})
    sender.close()
    documents = [json.loads(one) for one in (tmp_path / "docs.ndjson").read_text().splitlines()]
    assert [one["source"]["geo"]["country_iso_code"] for one in documents] == ["FI", "SE"]


def test_what_an_outbox_depends_on_stays_the_same_over_a_reload(write: Callable[[str, str], Path]) -> None:
    """So that what was taken of a batch is remembered."""
    text = f"{GOOD}{RULE}{ACTION} option url http://127.0.0.1:9200\n"
    first, second = (config.load(write("rules.conf", text))[0].actions[0].own for _ in range(2))
    changed = config.load(write("rules.conf", text.replace("LOGIN", "LOGGED IN")))[0].actions[0].own
    assert first == second != changed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "rules.conf:5: error: an action of type ecs has a 'path' or a 'url' (write one of the two)"),
        (
            " option path /x\n option url http://h:1\n",
            "rules.conf:5: error: an action of type ecs has a 'path' or a 'url' (write one of the two)",
        ),
        (
            " option path /x\n list dataset opnvpn\n",
            "rules.conf:5: error: action 'docs': there is no dataset 'opnvpn' (did you mean 'openvpn'?)",
        ),
        (
            " option url http://h:1\n option index Logs\n",
            "rules.conf:8: error: 'index' cannot be 'Logs' (write one such as logs-openvpn-default, in small letters)",
        ),
        (
            " option path /x\n option index logs-x\n",
            "rules.conf:8: error: 'index' is for a 'url', and here is a 'path' (remove one of the two)",
        ),
        (
            " option path /x\n option batch 5\n",
            "rules.conf:8: error: 'batch' is for a 'url', and here is a 'path' (remove one of the two)",
        ),
        (" option url http://h:1\n option user bob\n", "rules.conf:5: error: logging in takes 'user' and 'password_file'"),
    ],
)
def test_mistakes_of_an_action(write: Callable[[str, str], Path], options: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config.load(write("rules.conf", f"{RULE}{ACTION}{options}"))
    assert [str(one) for one in raised.value.complaints if str(one).startswith(said)]
