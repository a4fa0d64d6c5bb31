"""`config action`: options that fit the type, texts that fit the rules, names that somebody uses."""

from __future__ import annotations

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


def test_secrets_are_for_nobody_else_to_read(complaints: Complaints, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x")
    (tmp_path / "key").chmod(0o644)
    text = f"option type alerta; option url http://x; option password_file {tmp_path}/key"
    assert (
        f"rules.conf:9: warning: 'password_file': everybody can read {tmp_path}/key (chmod o-r {tmp_path}/key)"
        in complaints(RULE + action(text))
    )
