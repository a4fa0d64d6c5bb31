"""The cut between the rooms: what the core may import, where a module's tests are, what may not be shipped."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "logtrigger"

# The core decides and touches nothing: it has no clock, file, socket, process or database of its own.
CORE = ["addresses", "bans", "conditions", "distinct", "engine", "escalation", "headers", "matcher", "model", "patterns"]
CORE += ["rule", "trusts", "window", "within"]
SHELL_ONLY = {"asyncio", "selectors", "socket", "sqlite3", "subprocess", "time"}

# Modules without a test file of their own, and why.
UNTESTED = {
    "logtrigger/__main__.py": "calls cli.main",
    "logtrigger/digests.py": "names alone",
    "logtrigger/errors.py": "values; the doctest shows all they do",
    "logtrigger/ending.py": "tried by tests/test_daemon.py and tests/e2e/test_delivery.py",
    "logtrigger/model.py": "values without behaviour",
    "logtrigger/rule.py": "values; the tests of config and engine build them",
    "logtrigger/serving.py": "every test of a command that asks the daemon tries it; tests/metrics/test_endpoint.py",
    "logtrigger/patterns/pattern.py": "a protocol",
    "logtrigger/sources/base.py": "protocols",
    "logtrigger/sources/program.py": "tried by tests/sources/test_command.py, test_journal.py and test_logread.py",
    "logtrigger/sources/receiver/datagrams.py": "tried by tests/sources/receiver/test_udp.py and test_unix.py",
    "logtrigger/actions/base.py": "protocols",
    "logtrigger/firewall/base.py": "protocols",
    "logtrigger/cli/ask.py": "every test of a command that asks the daemon tries it",
    "logtrigger/cli/ban.py": "tried by tests/cli/test_bans.py",
    "logtrigger/cli/resume.py": "tried by tests/cli/test_pause.py",
    "logtrigger/cli/unban.py": "tried by tests/cli/test_bans.py",
    "logtrigger/config/actionkinds.py": "tried by tests/config/test_actions.py",
    "logtrigger/config/ecssamples.py": "tried by tests/config/test_ecs.py and tests/ecs/test_datasets.py",
    "logtrigger/config/places.py": "tried by tests/config/test_build.py",
    "logtrigger/control/banned.py": "tried by tests/cli/test_bans.py",
    "logtrigger/control/client.py": "every test of a command that asks the daemon tries it",
    "logtrigger/control/examined.py": "tried by tests/e2e/test_doctor.py",
    "logtrigger/doctor/examination.py": "tried by tests/cli/test_doctor.py",
    "logtrigger/doctor/findings.py": "values",
    "logtrigger/doctor/running.py": "tried by tests/e2e/test_doctor.py",
    "logtrigger/parallel/processes.py": "tried by tests/parallel/test_replaying.py and test_pool.py",
    "logtrigger/parallel/worker.py": "tried by tests/parallel/test_replaying.py",
    "logtrigger/control/listener.py": "tried by tests/control/test_server.py",
    "logtrigger/control/standing.py": "tried by tests/cli/test_status.py and tests/cli/test_rules.py",
}

# Folders of whoever develops this, which mean nothing on another machine.
PRIVATE_PATH = re.compile(r"(?<![\w.)}])/work\b|/tmp/venv\b")
SHIPPED = [".ci", "bench", "docs", "etc", "examples", "logtrigger", "man", "packaging", "scripts", "tests", "tools"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def modules_of(name: str) -> list[str]:
    """The module, or the package with all modules in it."""
    folder = PACKAGE / name
    if not folder.is_dir():
        return [f"logtrigger.{name}"]
    return [module_name(path) for path in sorted(folder.rglob("*.py"))]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def module_path(name: str) -> Path | None:
    """The file of one of our modules; None for what is none."""
    place = ROOT.joinpath(*name.split("."))
    return next((path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file()), None)


def imports_of(name: str) -> Iterator[str]:
    """The dotted names a module of ours imports, wherever in it, and the packages around it.

    Of `from a import b` come both a and a.b, as b may be a module. What stands under `if TYPE_CHECKING:` never runs.
    """
    path = module_path(name)
    assert path is not None, f"there is no module {name}"
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    yield from (".".join(package[:depth]) for depth in range(1, len(package) + 1))
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            waiting.extend(node.orelse)
            continue
        waiting.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def shell_imports(name: str) -> list[str]:
    """Each chain of imports that leads from a module of ours to something only the shell may use."""
    chains: list[str] = []
    waiting = [(name, name)]
    seen = {name}
    while waiting:
        module, chain = waiting.pop()
        for imported in imports_of(module):
            if imported.split(".")[0] in SHELL_ONLY:
                chains.append(f"{chain} -> {imported}")
            elif imported.split(".")[0] == "logtrigger" and imported not in seen and module_path(imported):
                seen.add(imported)
                waiting.append((imported, f"{chain} -> {imported}"))
    return chains


@pytest.mark.parametrize("name", [module for room in CORE for module in modules_of(room)])
def test_core_touches_nothing(name: str) -> None:
    assert shell_imports(name) == []


def test_guard_sees_a_shell_module() -> None:
    """The check above is worth something: it finds what `loop` uses, also from a module that uses `loop`."""
    assert "logtrigger.sources.base -> logtrigger.loop -> selectors" in shell_imports("logtrigger.sources.base")


def test_core_runs_without_the_shell() -> None:
    """Importing the engine loads no module of the shell, whatever a static look at it has missed."""
    probe = (
        "import sys; import logtrigger.engine; "
        "print([n for n in ('asyncio', 'selectors', 'sqlite3', 'subprocess', 'logtrigger.loop') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# What imports a room above its own, and why.
UPWARDS = {
    ("logtrigger.unpacked", "config"): "where the state is, and whom files are trusted of; config has files unpacked",
}


def floors() -> dict[str, int]:
    """The rooms of the package, a folder or module each, by the row of docs/architecture.md that they stand in."""
    table = read("docs/architecture.md").partition("## Rooms")[2].partition("## Decisions")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    found: dict[str, int] = {}
    for number, row in enumerate(rows):
        for name in re.findall(r"`([^`]+)`", row):
            found.setdefault(name.partition("/")[0].removesuffix(".py"), number)
    return found


def rooms() -> dict[str, list[str]]:
    """The modules of each room."""
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = module_name(path)
        if name not in ("logtrigger", "logtrigger.__main__"):
            found.setdefault(name.split(".")[1], []).append(name)
    return found


def test_each_room_stands_in_the_table() -> None:
    assert rooms().keys() - floors().keys() == set(), "write what they are for into the table of docs/architecture.md"


def test_the_table_has_no_room_that_is_gone() -> None:
    assert floors().keys() - rooms().keys() == set()


@pytest.mark.parametrize("room", rooms())
def test_imports_point_down_the_table(room: str) -> None:
    """What stands in one row may import each other: that is one subject."""
    floor = floors()
    found = {
        (name, imported.split(".")[1])
        for name in rooms()[room]
        for imported in imports_of(name)
        if imported.startswith("logtrigger.")
    }
    upwards = {(name, other) for name, other in found if other in floor and floor[other] < floor[room]}
    assert upwards - UPWARDS.keys() == set()


def methods() -> set[str]:
    """Every method there is, as Class.method."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")]
    classes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    return {f"{one.name}.{node.name}" for one in classes for node in one.body if isinstance(node, ast.FunctionDef)}


def test_the_way_of_a_line_is_the_one_described() -> None:
    ways = [line.split() for line in read("docs/architecture.md").splitlines() if "Daemon.deliver →" in line]
    assert len(ways) == 2
    assert {step for way in ways for step in way} - {"→", "…"} - methods() == set()


@pytest.mark.parametrize("line", [line for line in read("CONTRIBUTING.md").splitlines() if "`logtrigger/" in line])
def test_what_is_to_be_touched_is_there(line: str) -> None:
    for name, path in re.findall(r"`(\w+)` in `(logtrigger/[\w/.]+)`", line):
        assert re.search(rf"^(?:class |def )?{name}\b", read(path), re.MULTILINE), f"{path} has no {name}"
    for path in re.findall(r"`(logtrigger/[\w/.]+)`", line):
        assert "NAME" in path or (ROOT / path).exists(), path


def defines_something(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.walk(tree))


@pytest.mark.parametrize("path", [p for p in sorted(PACKAGE.rglob("*.py")) if p.name != "__init__.py"], ids=module_name)
def test_module_has_its_tests(path: Path) -> None:
    """logtrigger/x.py has tests/test_x.py; logtrigger/folder/x.py has tests/folder/test_x.py."""
    module = path.relative_to(PACKAGE)
    tests = ROOT / "tests" / module.with_name(f"test_{module.name}")
    if str(path.relative_to(ROOT)) not in UNTESTED:
        assert tests.is_file(), f"write {tests.relative_to(ROOT)}, or give a reason in UNTESTED"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*/__init__.py")), ids=module_name)
def test_package_with_code_has_its_tests(path: Path) -> None:
    """A package's own functions are tested in tests/test_FOLDER.py or among the tests of its modules."""
    if defines_something(path):
        folder = ROOT / "tests" / path.parent.relative_to(PACKAGE)
        assert folder.with_name(f"test_{folder.name}.py").is_file() or any(folder.glob("test_*.py"))


@pytest.mark.parametrize("name", UNTESTED)
def test_exception_is_one(name: str) -> None:
    """An exception that has got its tests is taken off the list."""
    module = Path(name).relative_to("logtrigger")
    assert not (ROOT / "tests" / module.with_name(f"test_{module.name}")).exists()


def shipped_files() -> list[Path]:
    inside = [path for folder in SHIPPED for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    others = {Path(__file__), ROOT / ".git"}  # this one has to name them; the other is a file in a worktree of git's
    return sorted(path for path in [*ROOT.iterdir(), *inside] if path.is_file() and path not in others)


@pytest.mark.parametrize("path", shipped_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_private_path(path: Path) -> None:
    """A shipped text names no folder of the machine it was written on."""
    text = path.read_bytes().decode("utf-8", "replace")
    assert [found[0] for found in PRIVATE_PATH.finditer(text)] == []


def test_nobody_is_sent_to_another_project() -> None:
    """The name on PyPI is not ours: who is to install something is told that package's own name."""
    pages = [
        path
        for folder in ("logtrigger", "docs", "man", "scripts", "etc")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    ]
    sent = re.compile(rb"install [^\n]*\blogtrigger\[[a-z]")
    assert [path for path in [*pages, ROOT / "README.md"] if path.suffix != ".pyc" and sent.search(path.read_bytes())] == []
