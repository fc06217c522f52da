"""From the sections of the file to the values of the plan: spellings end here.

Takes sections that were checked; decides nothing and refuses nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from scheduler.config.configuration import GatewaySettings, Secret
from scheduler.config.schema import Ask, Gateway, If, Period, Rule, Season
from scheduler.config.words import KINDS_OF_DAY, WEEKDAYS
from scheduler.model.firmware import SIMULATED
from scheduler.model.reading import Grid
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Condition
from scheduler.plan import rules, tariff
from scheduler.plan.calendar import ALL_DAY, EVERY_DAY, DayFilter, WeekDays, YearSpan

HTTPS_PORT = 443

Seasons = Mapping[str, Season]


def setpoint(ask: Ask) -> Setpoint:
    """What is asked for; shown percent."""
    return Setpoint(mode=ask.mode, reserve_percent=ask.reserve)


def period(section: Period, seasons: Seasons, line: int) -> tariff.Period:
    """A period of the tariff; prices per kWh."""
    return tariff.Period(
        name=section.name,
        line=line,
        hours=tuple(section.hours) if section.hours is not None else (ALL_DAY,),
        on=_days(section, seasons),
        import_price=section.import_price,
        export_price=section.export_price,
    )


def rule(section: Rule, seasons: Seasons, line: int) -> rules.Window | rules.MomentRule:
    """A window or a moment."""
    when = rules.When(
        during=frozenset(section.during) if section.during is not None else None,
        hours=tuple(section.hours) if section.hours is not None else None,
        on=_days(section, seasons),
    )
    condition = _condition(section.condition) if section.condition is not None else None
    if section.do is not None and section.at is not None:
        return rules.MomentRule(
            name=section.name,
            line=line,
            at=section.at,
            do=section.do,
            when=when,
            install=section.install,
            done_by=section.done_by,
            condition=condition,
            why=section.why,
        )
    return rules.Window(
        name=section.name,
        line=line,
        setpoint=setpoint(section.setpoint) if section.setpoint is not None else Setpoint(),
        when=when,
        early=section.early or rules.ZERO,
        late=section.late or rules.ZERO,
        condition=condition,
        on_drift=section.on_drift,
        why=section.why,
    )


def gateway(section: Gateway, directory: Path) -> GatewaySettings:
    """How to reach the gateway. The certificate is named from ``directory``, the configuration file's."""
    host, port_of_host = section.host if section.host is not None else ("", None)
    return GatewaySettings(
        type=section.type,
        host=host,
        port=section.port or port_of_host or HTTPS_PORT,
        server_name=section.server_name,
        # Not pathlib's, which ends in an error where there is no such user: then there is no such file, which is told.
        certificate=directory / os.path.expanduser(section.certificate),  # noqa: PTH111 - see above
        username=section.username or "installer",
        email=section.email or "",
        password=Secret(section.password.get_secret_value()) if section.password is not None else None,
        force_sm_off=section.force_sm_off,
        max_pv_export_power_kw=section.max_pv_export_power_kW,
        firmware=section.firmware or SIMULATED[0],
    )


def _days(section: Period | Rule, seasons: Seasons) -> DayFilter:
    dates = section.dates if isinstance(section, Rule) else None
    if section.season is None and section.days is None and dates is None:
        return EVERY_DAY
    return DayFilter(
        seasons=tuple(YearSpan(seasons[name].first, seasons[name].last) for name in section.season)
        if section.season is not None
        else None,
        days=_week_days(section.days) if section.days is not None else None,
        dates=tuple(dates) if dates is not None else None,
    )


def _week_days(days: list[str]) -> WeekDays:
    return WeekDays(
        named=frozenset(WEEKDAYS.index(day) for day in days if day not in KINDS_OF_DAY),
        weekdays="weekdays" in days,
        weekends="weekends" in days,
        holidays="holidays" in days,
    )


def _condition(section: If) -> Condition:
    return Condition(
        charge_below_percent=section.charge_below,
        charge_above_percent=section.charge_above,
        grid=Grid(section.grid) if section.grid is not None else None,
    )
