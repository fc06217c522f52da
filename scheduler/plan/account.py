"""An explanation as text for people and as JSON (`tou-scheduler/explain`, version 1). What is true lives in
`explain`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from scheduler.plan import words
from scheduler.plan.document import condition_document, local_text, moment_document
from scheduler.plan.explain import HORIZON, Beaten, Explanation, Heard, PassedOver, Spoke


def document(explanation: Explanation) -> dict[str, Any]:
    """The public form: local times with offset, the words of the file. `since` and `next_change` may be
    null.
    """
    it = explanation
    upcoming = it.upcoming
    return {
        "schema": "tou-scheduler/explain",
        "version": 1,
        "timezone": it.zone.key,
        "at": local_text(it.at, it.zone),
        "period": it.period,
        "period_line": it.period_line,
        "import_price": it.import_price,
        "export_price": it.export_price,
        **it.setpoint.document(),
        "rules": [_rule_document(heard) for heard in it.rules],
        "since": None if it.since is None else local_text(it.since, it.zone),
        "next_change": None
        if upcoming is None
        else {"at": local_text(upcoming.start, it.zone), **upcoming.spoken().setpoint.document()},
        "moments": [moment_document(moment, it.zone) for moment in it.moments],
    }


def _rule_document(heard: Heard) -> dict[str, Any]:
    rule: dict[str, Any] = {"name": heard.claim.name, "line": heard.claim.line}
    match heard.outcome:
        case Spoke(fields=fields, condition=condition):
            rule |= {"outcome": "spoke", "fields": [words.FIELD_WORDS[field] for field in fields]}
            if condition is not None:
                rule["if"] = condition_document(condition)
        case Beaten(by=by):
            rule |= {"outcome": "beaten", "by": [{"name": claim.name, "line": claim.line} for claim in by]}
        case PassedOver(because=because):
            rule |= {"outcome": "passed_over", "because": because}
    return rule


def text(explanation: Explanation) -> str:
    """The explanation for people, several lines."""
    it = explanation
    shown = it.at.astimezone(it.zone)
    offset = shown.isoformat(timespec="minutes")[16:]
    lines = [
        f"{words.day_name(shown.date())} {shown:%H:%M} ({it.zone.key}, UTC{offset})",
        f"setpoint     {it.setpoint}",
        f"period       {_period(it)}",
        f"since        {_since(it)}",
        f"next change  {_next_change(it)}",
        "",
        "rules, of which the first that holds wins, field by field:",
    ]
    for heard in it.rules:
        lines.append(f"  {heard.claim.name} (line {heard.claim.line})")
        if heard.why:
            lines.append(f"    why: {heard.why}")
        lines.append(f"    {_outcome(heard, it)}")
    if it.moments:
        lines += ["", "next moments:"]
        for moment in it.moments:
            lines.append(f"  {moment.rule} (line {moment.line})")
            lines.append(f"    {_when(moment.at, it.zone)}: {words.deed(moment, it.zone)}")
    return "\n".join(lines)


def _period(it: Explanation) -> str:
    if it.period is None:
        return "none: the tariff does not cover this time"
    prices = [
        f"{kind} {price:g}"
        for kind, price in (("import", it.import_price), ("export", it.export_price))
        if price is not None
    ]
    per = f" {it.currency} per kWh".replace("  ", " ") if prices else ""
    return f"{it.period} (line {it.period_line})" + "".join(f", {price}" for price in prices) + per


def _since(it: Explanation) -> str:
    return f"more than {HORIZON.days} days" if it.since is None else _when(it.since, it.zone)


def _next_change(it: Explanation) -> str:
    if it.upcoming is None:
        return f"none within {HORIZON.days} days"
    return f"{_when(it.upcoming.start, it.zone)} to {words.asked(it.upcoming)}"


def _outcome(heard: Heard, it: Explanation) -> str:
    match heard.outcome:
        case Spoke(fields=fields, condition=None):
            return f"gives {words.fields(fields)}: {heard.claim.setpoint}"
        case Spoke(fields=fields, condition=condition):
            known = "depends on the gateway" if it.live is None else "it is so"
            return f"gives {words.fields(fields)}: {heard.claim.setpoint}, if {condition}: {known}"
        case Beaten(by=by):
            return "beaten by " + " and ".join(f"{claim.name} (line {claim.line})" for claim in by)
        case PassedOver(because=because):
            return f"passed over, {because}"


def _when(instant: datetime, zone: ZoneInfo) -> str:
    shown = instant.astimezone(zone)
    return f"{words.day_name(shown.date())} {shown:%H:%M}"
