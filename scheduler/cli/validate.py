"""`validate`: check a configuration file, by the code that loads it, and show all problems at once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.common import ConfigOption, Exit, JsonOption, config_path, print_json, say

if TYPE_CHECKING:
    from scheduler.config.load import Configuration
    from scheduler.config.problems import Problem

FileArgument = Annotated[Path | None, typer.Argument(help="The file to check; else the one of --config.")]


def validate(file: FileArgument = None, *, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Check a configuration file and show everything that is wrong with it. Warnings alone are fine."""
    from scheduler.config.load import ConfigurationError, load
    from scheduler.config.problems import document, render

    path = config_path(file if file is not None else config)
    configuration: Configuration | None = None
    problems: tuple[Problem, ...]
    try:
        configuration = load(path)
        problems = configuration.warnings
    except ConfigurationError as error:
        problems = error.problems
    if json:
        print_json(document(str(path), problems))
    else:
        if problems:
            say(render(problems, screen_columns=shutil.get_terminal_size((100, 24)).columns))
        print(f"{path}: {_summary(configuration, problems)}")
    if configuration is None:
        raise typer.Exit(Exit.USAGE)


def _summary(configuration: Configuration | None, problems: tuple[Problem, ...]) -> str:
    warnings = sum(problem.severity == "warning" for problem in problems)
    if configuration is None:
        return f"not usable, {_count(len(problems) - warnings, 'error')}"
    schedule = configuration.schedule
    parts = ["ok", _count(len(schedule.rules), "rule"), _count(len(schedule.tariff.periods), "period")]
    prices = schedule.tariff.name
    if configuration.tariff_effective is not None:
        prices = f"{prices} of {configuration.tariff_effective}".strip()
    if configuration.tariff_source:
        prices = f"{prices} ({configuration.tariff_source})".strip()
    if prices:
        parts.append(f"prices: {prices}")
    if warnings:
        parts.append(_count(warnings, "warning"))
    return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
