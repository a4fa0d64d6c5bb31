"""`config action`: options that fit the type, texts that fit the rules, names that somebody uses."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from logtrigger import config
from logtrigger.config.options import AlertaAction, LogAction, MailAction
from logtrigger.rule import ActionOptions

Write = Callable[[str, str], Path]
Complaints = Callable[[str], list[str]]

RULE = "config rule\n option name login\n option pattern 'login of %s from %s'\n option fields 'user ip'\n list action a\n"


def action(options: str, name: str = "a") -> str:
    return f"config action '{name}'\n" + "".join(f" {line}\n" for line in options.split("; "))


@pytest.fixture
def made(write: Write) -> Callable[[str], ActionOptions]:
    """The only action of a configuration whose only rule names it."""

    def made(options: str) -> ActionOptions:
        settings, warnings = config.load(write("rules.conf", RULE + action(options)))
        assert warnings == ()
        assert settings.rules[0].actions == ("a",)
        return settings.actions[0]

    return made


def test_a_log(made: Callable[[str], ActionOptions]) -> None:
    one = made("option type log; option path '/var/log/{name}.log'; option text '{user}\\t{ip_country}'; option every 5s")
    assert (one.name, one.type, one.every, one.give_up) == ("a", "log", 5.0, 86_400.0)
    assert isinstance(one.own, LogAction) and one.own.path is not None
    assert one.own.path.names({"name": "x"}) == ("x.log",)
    assert one.own.text.render({"user": "bob"}) == "bob\t"


def test_mail(made: Callable[[str], ActionOptions], tmp_path: Path) -> None:
    (tmp_path / "password").write_text("x")
    (tmp_path / "password").chmod(0o600)
    text = "option type mail; option sender w@example.org; option to 'a@example.org root'; option user w"
    one = made(f"{text}; option password_file {tmp_path}/password; option server mail.example.org").own
    assert isinstance(one, MailAction)
    assert (one.to, one.security, one.port, one.server) == (("a@example.org", "root"), "starttls", None, "mail.example.org")
    assert one.subject.text == "{name}: {key}"


def test_alerta(made: Callable[[str], ActionOptions]) -> None:
    text = "option type alerta; option url http://127.0.0.1:8080; option severity information; list service vpn"
    one = made(f"{text}; list attribute 'ip={{ip}}'; list tag '{{user}}'; option timeout 1h").own
    assert isinstance(one, AlertaAction)
    assert (one.severity, one.service, one.timeout) == ("information", ("vpn",), 3600.0)
    assert one.attribute[0][0] == "ip"


def test_conditions_are_those_of_each_rule(made: Callable[[str], ActionOptions]) -> None:
    one = made("option type log; option path /var/log/x; list when 'user == root'; list when 'country != FI'")
    ((user, country),) = one.when.values()
    assert user.holds({"user": "root"}) and not user.holds({"user": "bob"})
    assert country.holds({})


LOG = "option type log; option path /var/log/x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RULE, "5: error: no action is called 'a' (write: config action 'a', and below it what it does)"),
        (RULE + action(LOG, "b"), "5: error: no action is called 'a'"),
        (RULE + action(LOG) + action(LOG, "b"), "9: warning: no rule names the action 'b'"),
        (RULE + " list action a\n" + action(LOG), "6: warning: rule 'login' names the action 'a' twice (drop one of the two)"),
        (
            RULE + action("option type log; option path /var/log"),
            "8: warning: 'path' is a folder: /var/log (name a file in it)",
        ),
        (
            RULE + action("option type script; option script /bin/sh; option feed 1"),
            "9: warning: no rule reads what the action 'a' feeds back (write option source 'action:a' into a rule, or drop",
        ),
        (RULE + action(LOG) + action(LOG), "9: error: an action is called 'a' at rules.conf:6 already"),
        (RULE + "config action\n option type log\n option path /var/x/y", "6: error: the action has no name"),
        (RULE + action(LOG, "script"), "6: error: an action cannot be called 'script'"),
        (RULE + action("option path /var/x"), "6: error: 'type' is missing"),
        (RULE + action("option type mial"), "7: error: 'type' cannot be 'mial' (did you mean 'mail'?)"),
        (RULE + action("option type log"), "6: error: 'path' is missing"),
        (RULE + action(LOG + "; option subject x"), "9: error: 'subject' says nothing of an action of type log"),
        (RULE + action(LOG + "; option subjekt x"), "9: error: unknown option 'subjekt' (did you mean 'subject'?)"),
        (
            RULE + action(LOG + "; option text '{usr}'"),
            "9: error: 'text': rule 'login' has no field 'usr' (did you mean 'user'?)",
        ),
        (RULE + action("option type log; option path '/var/{usr}/x'"), "8: error: 'path': rule 'login' has no field 'usr'"),
        (RULE + action("option type log; option path '/{user}/x'"), "8: error: 'path' cannot be"),
        (RULE + action(LOG + "; option text '{user'"), "9: error: 'text' cannot be '{user' ('{' stands alone at column 1"),
        (RULE + action(LOG + "; list when 'usr == x'"), "9: error: 'when', for rule 'login': unknown field 'usr'"),
        (RULE + action("option type webhook; option url example.org"), "8: error: 'url' cannot be 'example.org'"),
        (RULE + action("option type webhook; option url http://x; list header 'a b: c'"), "9: error: 'header' cannot be"),
        (
            RULE + action("option type alerta; option url http://x; option severity hihg"),
            "9: error: there is no severity 'hihg'",
        ),
        (RULE + action("option type syslog; option server h; option severity critical"), "no severity 'critical' for syslog"),
        (RULE + action("option type mail; option sender 'a b'; option to c@d.e"), "8: error: 'sender' cannot be 'a b'"),
        (RULE + action("option type mail; option sender a@b.c; option to c@d.e; option user x"), "6: error: logging in takes"),
        (
            RULE + action("option type notify; option url_file /nowhere/x"),
            "'url_file': /nowhere/x cannot be read: No such file",
        ),
        (RULE + action("option type script; option script /nowhere"), "8: error: the script /nowhere cannot be run"),
        (
            "config rule\n option name x\n option pattern 'a %s'\n option fields user\n list action a\n"
            + action("option type ban; option time 1h"),
            "5: error: rule 'x' has no address to ban",
        ),
    ],
)
def test_mistake(complaints: Complaints, text: str, said: str) -> None:
    assert [line for line in complaints(text) if said in line.replace("rules.conf:", "", 1)], complaints(text)


@pytest.mark.parametrize(
    ("url", "way_out"),
    [
        ("http://x:99999/", "Port out of range 0-65535: write one such as https://example.org:8443/hook"),
        ("http://x:0/", "write a port from 1 to 65535, or none"),
        ("http://x:/", "write a port from 1 to 65535, or none"),
        ("http://x:8o/", "Port could not be cast to integer value as '8o'"),
        ("http:///hook", "no host stands in it"),
        ("http://:80/", "no host stands in it"),
        ("http://a..b/", "no host stands in it"),
        ("http://1.2.3/", "no host stands in it"),
        ("http://1.2.3.400/", "no host stands in it"),
        ("http://[::1/", "Invalid IPv6 URL"),
        (f"http://{'a' * 64}.org/", "no host stands in it"),
        ("http://user:secret@x/", "no user or password may stand in it"),
        ("http://x/a#b", "what follows the # is never sent"),
        ("http://x/a b", "write %20 for a blank"),
        (" http://x/", "write one that begins with http://"),
        ("http://x/\tb", "write %20 for a blank"),
        ("http://xä/", "write %20 for a blank"),
        ("ftp://x/", "write one that begins with http://"),
        ("http://x/{user}", "no field can stand in it: write that into the body"),
        ("http://{user}.x/", "no field can stand in it"),
    ],
)
@pytest.mark.parametrize("type", ["webhook", "alerta", "ecs"])
def test_urls_that_could_never_be_asked(complaints: Complaints, type: str, url: str, way_out: str) -> None:
    """Found by `check`, not with the first trigger."""
    found = complaints(RULE + action(f"option type {type}; option url '{url}'"))
    assert [line for line in found if "'url' cannot be" in line and way_out in line], found


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "https://[2001:db8::7]:8443/a%20b",
        "HTTP://chat_server/",
        "https://example.org./x",
        "http://[fe80::1%eth0]/",
    ],
)
def test_urls_that_are_good(made: Callable[[str], ActionOptions], url: str) -> None:
    assert made(f"option type webhook; option url '{url}'").own.url == url


def test_what_follows_a_path_belongs_to_a_webhook_alone(made: Callable[[str], ActionOptions], complaints: Complaints) -> None:
    assert made("option type webhook; option url 'http://x/hook?room=7'").own.url == "http://x/hook?room=7"
    (found,) = complaints(RULE + action("option type alerta; option url 'http://x/api?key=7'"))
    assert "nothing may follow its path" in found


@pytest.mark.parametrize("host", ["a..b", "-x", "1.2.3", ":::", "a b", "x:25", f"{'a' * 64}.org"])
def test_hosts_that_cannot_be(complaints: Complaints, host: str) -> None:
    found = complaints(RULE + action(f"option type syslog; option server '{host}'"))
    assert [line for line in found if "'server' cannot be" in line], found


def test_port_has_its_own_option(complaints: Complaints) -> None:
    (found,) = complaints(RULE + action("option type syslog; option server logs.example.org:6514"))
    assert "write option port '6514', and only logs.example.org here" in found


@pytest.mark.parametrize("header", ["Content-Length: 3", "transfer-encoding: chunked", "X: ä", "X-User: {user}"])
def test_headers_that_would_break_the_request(complaints: Complaints, header: str) -> None:
    found = complaints(RULE + action(f"option type webhook; option url http://x; list header '{header}'"))
    assert [line for line in found if "'header' cannot be" in line], found


@pytest.mark.parametrize(
    ("say", "option"), [("heartbeat", "event"), ("heartbeat", "attribute"), ("alert", "origin"), ("heartbeat", "text")]
)
def test_what_an_alert_has_and_a_heartbeat_has_not(complaints: Complaints, say: str, option: str) -> None:
    text = f"option type alerta; option url http://x; option say {say}; list {option} 'user={{user}}'"
    (found,) = complaints(RULE + action(text.replace("list", "list" if option == "attribute" else "option")))
    other = "alert" if say == "heartbeat" else "heartbeat"
    assert found == f"rules.conf:10: error: '{option}' is for say '{other}' (remove it, or write that)"


@pytest.mark.parametrize(
    ("body", "reads"),
    [
        ('{{"a": "{user}}}', '{"a": "x}'),
        ('{{"a": {user}}}', '{"a": x}'),
        ('["{user}", ]', '["x", ]'),
        (" {{a: {count}}}", " {a: 1}"),
    ],
)
def test_body_that_is_no_json(complaints: Complaints, body: str, reads: str) -> None:
    text = f"option type webhook; option url http://x; option body '{body}'"
    (found,) = complaints(RULE + action(text))
    assert found.startswith(
        f"rules.conf:9: warning: 'body' is no JSON; with an x for each text it reads '{reads}' (write fields"
    )
    assert complaints(RULE + action(text + "; list header 'Content-Type: text/plain'")) == []


@pytest.mark.parametrize("body", ['{{"a": "{user}", "n": {count}, "t": {time}}}', "{message}", "text={user}", "[{late}]"])
def test_body_that_is_json_or_does_not_look_like_it(complaints: Complaints, body: str) -> None:
    assert complaints(RULE + action(f"option type webhook; option url http://x; option body '{body}'")) == []


def test_a_log_that_is_no_file(complaints: Complaints, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert complaints(RULE + action(f"option type log; option path {tmp_path}/fifo")) == [
        f"rules.conf:8: warning: 'path' is no regular file: {tmp_path}/fifo (name a file)"
    ]
    assert complaints(RULE + action(f"option type log; option path {tmp_path}/link")) == [
        f"rules.conf:8: warning: 'path' is a link: {tmp_path}/link (name the file itself, as no link is followed)"
    ]


def test_a_log_that_cannot_be_looked_at(complaints: Complaints) -> None:
    """Nothing is known of it then, as in a folder that whoever checks may not see into."""
    assert complaints(RULE + action(f"option type log; option path {'/x' * 3000}")) == []


def secret(folder: Path, text: str) -> Path:
    path = folder / "secret"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_password_file_that_is_empty_or_no_file(complaints: Complaints, tmp_path: Path) -> None:
    text = "option type webhook; option url https://x; option password_file "
    assert complaints(RULE + action(f"{text}{tmp_path}")) == [
        f"rules.conf:9: error: 'password_file': {tmp_path} is no file (give the path of a file)"
    ]
    path = secret(tmp_path, "")
    assert complaints(RULE + action(f"{text}{path}")) == [
        f"rules.conf:9: warning: 'password_file': {path} is empty (write it before anything is to be sent)"
    ]


@pytest.mark.parametrize(("url", "warns"), [("http://x/", True), ("http://127.0.0.1:1/", False), ("https://x/", False)])
@pytest.mark.parametrize("type", ["webhook", "alerta"])
def test_key_that_is_sent_for_all_to_read(complaints: Complaints, tmp_path: Path, type: str, url: str, warns: bool) -> None:
    path = secret(tmp_path, "x")
    found = complaints(RULE + action(f"option type {type}; option url {url}; option password_file {path}"))
    assert ["the password crosses the network unencrypted" in line for line in found] == [True] * warns


@pytest.mark.package("apprise")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what it imports
@pytest.mark.parametrize("url", ["nonsense", "nosuch://TOKEN", "tgram://TOKEN"])
def test_service_that_does_not_exist(complaints: Complaints, tmp_path: Path, url: str) -> None:
    path = secret(tmp_path, f"{url}\n")
    (found,) = complaints(RULE + action(f"option type notify; option url_file {path}"))
    assert f"rules.conf:8: error: 'url_file': apprise knows no service for what {path} says" in found
    assert url not in found
    secret(tmp_path, "ntfy://topic\n")
    assert complaints(RULE + action(f"option type notify; option url_file {path}")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#!/bin/nowhere\n", "is for /bin/nowhere, which is not there"),
        ("#!\n", "is for no interpreter"),
        ("#!/bin/sh\r\n", "has the line ends of Windows"),
    ],
)
def test_script_is_looked_at_as_a_rules_own(complaints: Complaints, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "act.sh"
    path.write_text(text)
    path.chmod(0o755)
    (found,) = complaints(RULE + action(f"option type script; option script {path}"))
    (own,) = complaints(RULE.replace("list action a", f"option script {path}"))
    assert said in found and found.partition("error: ")[2] == own.partition("error: ")[2]


def test_script_that_another_shell_would_take(complaints: Complaints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logtrigger.config.shell.portability", lambda path: [f"{path.name} is for bash"])
    (tmp_path / "act.sh").write_text("#!/bin/sh\n")
    path = f"{tmp_path}/act.sh"
    assert complaints(RULE + action(f"option type script; option script {path}")) == [
        f"rules.conf:8: warning: the script {path}: act.sh is for bash"
    ]


@pytest.mark.parametrize("script", ["alerta.sh", "sendmail.sh", "own.sh"])
def test_fields_in_what_a_script_of_ours_is_given(complaints: Complaints, tmp_path: Path, script: str) -> None:
    """It would put nothing in the place of one that is not there. What other scripts do with braces is their own affair."""
    (tmp_path / script).write_text("#!/bin/sh\n")
    (tmp_path / script).chmod(0o755)
    given = f"option script {tmp_path}/{script}; list env 'EVENT={{usr}} {{ip_country}} {{truncated}}'; list env 'B={{ }}'"
    said = "'env', in EVENT: rule 'login' has no field 'usr' (did you mean 'user'?)"
    wanted = [f"rules.conf:{{}}: error: {said}"] if script != "own.sh" else []
    assert complaints(RULE + action(f"option type script; {given}")) == [line.format(9) for line in wanted]
    own = RULE.replace(" list action a\n", "".join(f" {line}\n" for line in given.split("; ")))
    assert complaints(own) == [line.format(6) for line in wanted]


@pytest.mark.parametrize(("option", "good"), [("path /var/log/x/{year}-{month}-{day}.log", True), ("text '{year}'", False)])
def test_the_date_stands_in_paths_alone(complaints: Complaints, option: str, good: bool) -> None:
    path = "" if good else "option path /var/log/x; "
    found = complaints(RULE + action(f"option type log; {path}option {option}"))
    assert found == [] if good else "has no field 'year'" in found[0]


def test_variable_that_is_set_twice(complaints: Complaints) -> None:
    text = "option type script; option script /bin/true; list env A=1; list env A=2"
    assert complaints(RULE + action(text)) == ["rules.conf:9: error: 'env' sets A twice (keep one of the two)"]


def test_secrets_are_for_nobody_else_to_read(complaints: Complaints, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x")
    (tmp_path / "key").chmod(0o644)
    text = f"option type alerta; option url http://x; option password_file {tmp_path}/key"
    assert (
        f"rules.conf:9: warning: 'password_file': everybody can read {tmp_path}/key (chmod o-r {tmp_path}/key)"
        in complaints(RULE + action(text))
    )
