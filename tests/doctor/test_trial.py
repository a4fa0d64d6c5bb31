"""Each rule is shown a line of its own, and nothing is done."""

from __future__ import annotations

from pathlib import Path

from logtrigger import config, shipped
from logtrigger.doctor import trial
from logtrigger.doctor.findings import Case

RULE = """\
config rule
	option name '{}'
	option pattern '{} %s'
	option fields ip
	option file /x
	list expect '{} 192.0.2.7'
"""


def findings(folder: Path, text: str) -> list[tuple[str, str]]:
    path = folder / "rules"
    path.write_text(text)
    path.chmod(0o600)
    return [(one.level, one.text) for one in trial.rules(Case(path, 0.0, config.read(path)))]


def test_what_the_rules_would_do(tmp_path: Path) -> None:
    rules = [
        RULE.format("a", "a", "a") + "\toption ban 1h\n",
        RULE.format("b", "b", "b") + "\toption script /bin/true\n",
        RULE.format("c", "c", "c"),
        RULE.format("d", "d", "d").replace("\tlist expect", "#"),
        RULE.format("e", "e", "e") + "\toption enabled 0\n",
    ]
    assert findings(tmp_path, "".join(rules)) == [
        ("ok", "3 rules shown a line of their own: each knows it; 1 would ban, 1 would run a script"),
        ("note", "nothing is done about c"),
    ]


def test_every_rule_of_the_library_knows_its_own_line(tmp_path: Path) -> None:
    """Some of their lines hold an arrow themselves."""
    services = " ".join(path.stem for path in shipped.files(shipped.RULES))
    found = findings(tmp_path, f"config logtrigger\n\tlist use '{services}'\n")
    assert found and not [text for level, text in found if level in ("warning", "error")]


def test_without_samples_there_is_nothing_to_show(tmp_path: Path) -> None:
    assert findings(tmp_path, RULE.format("a", "a", "a").replace("\tlist expect", "#")) == []


def test_without_a_daemon_nothing_is_logged(tmp_path: Path) -> None:
    assert list(trial.arrival(Case(tmp_path, 0.0))) == []
