"""The configuration: its mistakes, who can write it, its scripts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from logtrigger import config
from logtrigger.config import trust
from logtrigger.doctor.findings import Case, Finding
from logtrigger.durations import amount
from logtrigger.errors import ConfigError
from logtrigger.mmdb import Database
from logtrigger.rule import Settings

_STALE = 180 * 86_400.0  # seconds
_SHELLS = (b"#!/bin/sh", b"#! /bin/sh", b"#!/bin/ash", b"#!/bin/dash", b"#!/usr/bin/env sh")


def check(case: Case) -> Iterator[Finding]:
    """Reads the configuration; what comes of it is for the other checks."""
    try:
        with trust.on_behalf_of(case.user):
            case.configuration = config.read(case.path)
    except ConfigError as error:
        for complaint in error.complaints:
            if complaint.severity == "error":
                yield Finding("configuration", "error", f"{complaint.place}: {complaint.fault}", complaint.remedy)
        return
    settings = case.configuration.settings
    for name, why in case.configuration.failed.items():
        yield Finding(
            "configuration", "error", f"rule {name} is off: {why}", "correct the rule or its sample: logtrigger check"
        )
    yield from _scripts(settings)
    yield from _databases(settings, case.now)
    if not settings.rules:
        yield Finding("configuration", "warning", f"{case.path}: no rule is enabled", "write one, or: list use 'sshd'")
        return
    doubts = sum(complaint.severity == "warning" for complaint in case.configuration.complaints)
    noted = f"; logtrigger check has {amount(doubts, 'warning')}" if doubts else ""
    yield Finding("configuration", "ok", f"{case.path}: {amount(settings.number_of_rules, 'rule')}, no mistakes{noted}")


def _databases(settings: Settings, now: float) -> Iterator[Finding]:
    """Databases of places: addresses move. That one cannot be read at all is a complaint of the configuration's."""
    for path in settings.geoip:
        try:
            age = now - Database(path).built
        except ValueError:
            continue
        if age > _STALE:
            text = f"{path} was made {age / 86_400:.0f} days ago, and addresses have moved since"
            yield Finding("geoip", "warning", text, "fetch a newer one each month: docs/geoip.md")


def _scripts(settings: Settings) -> Iterator[Finding]:
    """Scripts that cannot be run, which /bin/sh is given: whether others can write them is a mistake of the configuration."""
    named = [rule.script for rule in settings.rules] + [getattr(action.own, "script", None) for action in settings.actions]
    for script in dict.fromkeys(path for path in named if isinstance(path, Path)):
        try:
            has_bit = bool(script.stat().st_mode & 0o111)
            if has_bit and not os.statvfs(script).f_flag & os.ST_NOEXEC:
                continue
            with script.open("rb") as file:
                first = file.readline(200).rstrip()
        except OSError:
            continue  # the configuration's own check has said so
        fault = f"{script} lies where nothing may be run (noexec)" if has_bit else f"{script} has no run bit"
        remedy = "move it to another file system, or mount that one without noexec" if has_bit else f"chmod +x {script}"
        if first.startswith(b"#!") and first not in _SHELLS:
            wants = first[2:].decode("utf-8", "replace").strip()
            text = f"{fault}, so /bin/sh runs it, which is not what it is written for ({wants})"
            yield Finding("scripts", "error", text, remedy)
        elif not has_bit:
            yield Finding("scripts", "warning", f"{fault}; /bin/sh runs it", remedy)
