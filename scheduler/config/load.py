"""File, environment and secret files become one `Configuration`, or an error with every problem at once.

Only the order of the steps; each of them is a module of this package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from scheduler.config import convert
from scheduler.config.complaints import CREDENTIAL_HINT
from scheduler.config.configuration import Configuration, GatewaySettings, Secret
from scheduler.config.coverage import check_coverage
from scheduler.config.draft import Draft, draft
from scheduler.config.lines import KeyPath, Tree, parse
from scheduler.config.names import check_names, holiday_rule, zone
from scheduler.config.outlook import check_outlook
from scheduler.config.problems import ConfigurationError
from scheduler.config.report import Report
from scheduler.config.schema import File
from scheduler.config.settings import PASSWORD, settle
from scheduler.config.shapes import check_shapes
from scheduler.config.source import read
from scheduler.model.setpoint import NOTHING
from scheduler.plan.rules import MomentRule, Schedule, Window
from scheduler.plan.tariff import Period, Tariff

__all__ = ["Configuration", "ConfigurationError", "GatewaySettings", "Secret", "load"]

DEFAULT_VERIFY_EVERY_S = 300.0
ORDINARY_YEAR = 2026
"""What the rules are tried on when the tariff does not say since when it holds."""


def load(
    path: Path,
    *,
    environ: Mapping[str, str] | None = None,
    secret_directories: Sequence[Path] | None = None,
    kept: bytes | None = None,
) -> Configuration:
    """The configuration in the file at ``path``, with what environment and secrets say above it.

    ``environ`` is the process's own unless given; ``secret_directories`` are $CREDENTIALS_DIRECTORY and
    /run/secrets unless given, and for root with the service's file what the service has. With ``kept`` this earlier content counts as the file's. Raises ConfigurationError with every problem: those of the text, or else all
    others together.
    """
    source = read(path, kept)
    tree = parse(source)
    root, has_password = _without_password(tree)
    settled, origins, wrong = settle(root, environ, secret_directories, path)
    report = Report(tree, origins)
    for problem in wrong:
        report.add(problem)
    if has_password:
        # The place is the file's, whatever the environment says above it.
        report.add(
            source.problem(
                "a password does not belong in this file", tree.place(PASSWORD), hint=CREDENTIAL_HINT
            )
        )
    parts = draft(settled, report)
    check_shapes(parts, report)
    check_names(parts, report)
    periods, rules = _converted(parts, report)
    if (
        parts.periods
        and len(periods) == len(parts.period_names)
        and not report.is_broken(("tariff", "periods"))
    ):
        check_coverage(tuple(periods.values()), report, holidays=parts.holidays is not None)
    schedule = _schedule(parts, tuple(periods.values()), tuple(rules.values()), report)
    if schedule is not None:
        effective = parts.file.tariff.effective if parts.file is not None else None
        check_outlook(schedule, rules, effective.year if effective else ORDINARY_YEAR, report)
    if report.failed or parts.file is None or schedule is None:
        raise ConfigurationError(report.problems)
    return _configuration(path, source.digest, parts.file, schedule, report)


def _without_password(tree: Tree) -> tuple[dict[str, object], bool]:
    root: dict[str, object] = dict(tree.root)
    gateway = root.get("gateway")
    if not isinstance(gateway, dict) or "password" not in gateway:
        return root, False
    root["gateway"] = {key: value for key, value in gateway.items() if key != "password"}
    return root, True


def _converted(parts: Draft, report: Report) -> tuple[dict[int, Period], dict[int, Window | MomentRule]]:
    """The sound periods and rules as the plan takes them, by their index in the file."""

    def sound(path: KeyPath, seasons: list[str] | None) -> bool:
        return not report.is_broken(path) and all(name in parts.seasons for name in seasons or ())

    periods = {
        index: convert.period(period, parts.seasons, report.line(("tariff", "periods", index)))
        for index, period in parts.periods.items()
        if sound(("tariff", "periods", index), period.season)
    }
    rules = {
        index: convert.rule(rule, parts.seasons, report.line(("rules", index)))
        for index, rule in parts.rules.items()
        if sound(("rules", index), rule.season)
    }
    return periods, rules


def _schedule(
    parts: Draft, periods: tuple[Period, ...], rules: tuple[Window | MomentRule, ...], report: Report
) -> Schedule | None:
    """What the plan is made of, as far as it is sound; None if site or tariff are not."""
    zone_info = zone(parts.site.timezone) if parts.site is not None else None
    if zone_info is None or not periods or report.is_broken(("tariff",)):
        return None
    about = parts.file.tariff if parts.file is not None else None
    return Schedule(
        zone=zone_info,
        tariff=Tariff(
            periods=periods,
            holidays=holiday_rule(parts.holidays) if parts.holidays is not None else None,
            name=(about and about.name) or "",
            currency=(about and about.currency) or "",
        ),
        rules=rules,
        default=convert.setpoint(parts.default) if parts.default is not None else NOTHING,
        default_line=report.line(("default",)),
        default_origin=report.origin(("default",)),
    )


def _configuration(path: Path, digest: str, file: File, schedule: Schedule, report: Report) -> Configuration:
    return Configuration(
        path=path,
        digest=digest,
        site_name=file.site.name,
        schedule=schedule,
        gateway=convert.gateway(file.gateway, path.absolute().parent),
        on_drift=file.on_drift,
        verify_every_s=file.verify_every.total_seconds() if file.verify_every else DEFAULT_VERIFY_EVERY_S,
        trust_clock_after_s=None
        if file.trust_clock_after is None
        else file.trust_clock_after.total_seconds(),
        tariff_source=file.tariff.source or "",
        tariff_effective=file.tariff.effective,
        warnings=report.problems,
        keeps_every_reserve=file.gateway.reserve_gap == "none",
    )
