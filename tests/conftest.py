"""What a test may ask of the machine it runs on, and how Hypothesis behaves here."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Generator, Iterator
from functools import cache
from importlib.util import find_spec

import hypothesis
import pytest

from logtrigger import hyperscan_matcher

# A busy machine is slow now and then; that is no fault of the code. Bounds on time are tests of their own.
hypothesis.settings.register_profile("logtrigger", deadline=None, print_blob=True)
hypothesis.settings.load_profile("logtrigger")

IS_ROOT = os.geteuid() == 0
UNPACKED = "/usr/local/lib/logtrigger-tests"  # by .ci/run: packages that Debian does not let stand beside others
MUST_HAVE_TOOLS = IS_ROOT and os.environ.get("CI") == "true"  # .ci/run has installed them

# Why a test may skip itself even there: what CI neither is nor installs.
MAY_LACK = (
    "this is no clone",  # but an unpacked sdist
    "this Python cannot be run by other users",  # it lies in somebody's home
    "the registry gives no such package",  # the network is away
    "needs npm",  # four hundred packages of Debian's, for one test
    "is for Dovecot 2.3",  # Debian 13 has 2.4
    "little-endian machine",
    "make test installs it",  # on processors that no wheels are made for; elsewhere it has failed before
)
MUST_HAVE_PACKAGES = os.environ.get("CI") == "true" and platform.machine() in ("x86_64", "aarch64")  # extra `speed`


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What commands keep between runs is kept for these tests alone."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    os.environ.pop("XDG_CACHE_HOME")
    if before is not None:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(autouse=True)
def own_process() -> Iterator[None]:
    """A daemon that runs in a test's own process sets umask and folder: the next test finds them as they were."""
    umask, folder = os.umask(0o022), os.getcwd()
    yield
    os.umask(umask)
    os.chdir(folder)


def find_tool(name: str) -> str | None:
    """The path of a program, also where only root's PATH would have it, or .ci/run has unpacked it."""
    folders = f"/usr/local/sbin:/usr/sbin:/sbin:{UNPACKED}/usr/sbin"
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":" + folders)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what the `root`, `tool` and `package` marks ask for and the machine lacks."""
    if item.get_closest_marker("root") and not IS_ROOT:
        pytest.skip("needs root")
    missing = [name for mark in item.iter_markers("tool") for name in mark.args if find_tool(name) is None]
    if missing and MUST_HAVE_TOOLS:
        pytest.fail(f"CI must have {', '.join(missing)}: see the packages in .ci/run")
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    reasons = [why for mark in item.iter_markers("package") for name in mark.args if (why := why_without(name))]
    if reasons and MUST_HAVE_PACKAGES:
        pytest.fail(f"CI must have what the extra 'dev' in pyproject.toml names: {reasons[0]}")
    if reasons:
        pytest.skip(reasons[0])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where all that is needed must be there, whatever skips itself fails, but for the reasons that are known."""
    report = yield
    if MUST_HAVE_TOOLS and report.skipped and isinstance(report.longrepr, tuple) and not hasattr(report, "wasxfail"):
        why = report.longrepr[2].removeprefix("Skipped: ")
        if not any(known in why for known in MAY_LACK):
            report.outcome, report.longrepr = "failed", f"CI may not skip this: {why}"
    return report


@cache
def why_without(package: str) -> str:
    """Why a package of an extra cannot be used; empty where it can."""
    if find_spec(package) is None:
        return f"{package} is not installed: make test installs it"
    try:
        if package == "hyperscan":
            hyperscan_matcher.check_library()
    except ValueError as error:
        return f"{package}: {error}"
    return ""
