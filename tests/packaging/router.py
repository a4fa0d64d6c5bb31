"""A Python like a router's: run as a program, it lacks what OpenWrt keeps in packages of their own, unless they are named.

python -I -S router.py FOLDER PACKAGES WORDS...     logtrigger WORDS..., from FOLDER, with these packages (comma-separated)
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

# What is not in python3-light, by package: OpenWrt's packages feed, lang/python/python3/files/*.mk.
PACKAGES = {
    "python3-asyncio": "asyncio",
    "python3-codecs": "unicodedata _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw",
    "python3-ctypes": "ctypes _ctypes",
    "python3-dbm": "dbm _dbm _gdbm",
    "python3-decimal": "decimal _decimal",
    "python3-email": "email",
    "python3-logging": "logging",
    "python3-lzma": "lzma _lzma",
    "python3-multiprocessing": "multiprocessing _multiprocessing",
    "python3-ncurses": "curses _curses _curses_panel",
    "python3-openssl": "_ssl _hashlib",
    "python3-pydoc": "doctest pydoc pydoc_data",
    "python3-readline": "readline",
    "python3-sqlite3": "sqlite3 _sqlite3",
    "python3-unittest": "unittest",
    "python3-urllib": "urllib",
    "python3-uuid": "uuid _uuid",
    "python3-venv": "venv ensurepip",
    "python3-xml": "xml xmlrpc pyexpat _elementtree",
}
OF_MODULE = {module: package for package, modules in PACKAGES.items() for module in modules.split()}


class Missing:
    """Finds that a module is not installed."""

    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = packages

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        package = OF_MODULE.get(name.partition(".")[0])
        if package is not None and package not in self.packages:
            raise ModuleNotFoundError(f"No module named '{name}' ({package})", name=name)
        return None


def main() -> None:
    folder, packages, *words = sys.argv[1:]
    sys.meta_path.insert(0, Missing(packages.split(",")))
    for name in [name for name in sys.modules if name.partition(".")[0] in OF_MODULE]:
        del sys.modules[name]
    sys.path.insert(0, folder)
    sys.argv = ["logtrigger", *words]
    from logtrigger.cli import main as run

    run()


if __name__ == "__main__":
    main()
