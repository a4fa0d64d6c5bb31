"""Where the files lie that come with the program, besides its code: rules, datasets, scripts, manual pages.

They are called by their path in a checkout, `etc/logtrigger/rules.d`. Installed, the same tree stands in `share/`
beside this module (`pyproject.toml` puts it there). Nobody else needs to know either, nor that `logtrigger.pyz` is an
archive that has to be unpacked first.
"""

from __future__ import annotations

from pathlib import Path

RULES, DATASETS = "etc/logtrigger/rules.d", "etc/logtrigger/ecs"

_HERE = Path(__file__).resolve().parent
_ROOTS = (_HERE / "share", _HERE.parent)


def path(name: str) -> Path:
    """Where a file or folder lies; where there is none, where it would lie in a checkout."""
    roots = _ROOTS if _HERE.is_dir() else _unpacked()
    return next((found for root in roots if (found := root / name).exists()), roots[-1] / name)


def files(folder: str, ending: str = ".conf") -> list[Path]:
    """The files of a folder whose names end so, in the order of their names."""
    return sorted(path(folder).glob(f"*{ending}"))


def _unpacked() -> tuple[Path, ...]:
    from logtrigger import unpacked  # brings zipfile

    return (unpacked.folder(_HERE.parent),)
