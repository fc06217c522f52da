"""An explanation as text for people and as JSON (`tou-scheduler/explain`, version 1). What is true lives in
`explain`.
"""

from __future__ import annotations

from typing import Any

from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Claim, Segment
from scheduler.plan import words
from scheduler.plan.document import condition_document, local_text, moment_document, otherwise_document
from scheduler.plan.explain import HORIZON, Beaten, Explanation, Heard, PassedOver, Spoke
from scheduler.plan.wallclock import WallClock

_INDENT = f"\n{'':13}"
_MOST_TOLD = 3
"""How many rules are named as the exceptions to another one; the others are counted."""


def document(explanation: Explanation) -> dict[str, Any]:
    """The public form: local times with offset, the words of the file. `since` and `next_change` may be null.

    Setpoints are told as in the plan: with every open ``if`` true, and ``otherwise``.
    """
    it = explanation
    upcoming = it.upcoming
    return {
        "schema": "tou-scheduler/explain",
        "version": 1,
        "timezone": it.zone.key,
        "at": local_text(it.at, it.zone),
        "period": it.segment.period,
        "period_line": it.period_line,
        "import_price": it.segment.import_price,
        "export_price": it.segment.export_price,
        **_asked_document(it.segment),
        "rules": [_rule_document(heard) for heard in it.rules],
        "since": None if it.since is None else local_text(it.since, it.zone),
        "next_change": None
        if upcoming is None
        else {"at": local_text(upcoming.start, it.zone), **_asked_document(upcoming)},
        "moments": [moment_document(moment, it.zone) for moment in it.moments],
    }


def _asked_document(segment: Segment) -> dict[str, Any]:
    return segment.spoken().setpoint.document() | otherwise_document(segment)


def _rule_document(heard: Heard) -> dict[str, Any]:
    rule = _claim_document(heard.claim)
    match heard.outcome:
        case Spoke(fields=fields, condition=condition):
            rule |= {"outcome": "spoke", "fields": [words.FIELD_WORDS[field] for field in fields]}
            if condition is not None:
                rule["if"] = condition_document(condition)
        case Beaten(by=by):
            rule |= {"outcome": "beaten", "by": [_claim_document(claim) for claim in by]}
        case PassedOver(because=because):
            rule |= {"outcome": "passed_over", "because": because}
    return rule


def _claim_document(claim: Claim) -> dict[str, Any]:
    document = {"name": claim.name, "line": claim.line}
    return document if claim.origin is None else document | {"origin": claim.origin}


def text(explanation: Explanation) -> str:
    """The explanation for people, several lines."""
    it = explanation
    clock = WallClock(it.zone)
    offset = it.at.astimezone(it.zone).isoformat(timespec="minutes")[16:]
    lines = [
        f"{words.instant_text(it.at, clock)} ({it.zone.key}, UTC{offset})",
        f"setpoint     {_INDENT.join(_asked(it.segment))}",
        f"period       {_period(it)}",
        f"since        {_since(it, clock)}",
        f"next change  {_next_change(it, clock)}",
        "",
        "rules, of which the first that holds wins, field by field:",
    ]
    for heard in it.rules:
        lines.append(f"  {words.named(heard.claim)}")
        if heard.why:
            lines.append(f"    why: {heard.why}")
        lines += [f"    {line}" for line in _outcome(heard)]
    if it.moments:
        lines += ["", "next moments:"]
        for moment in it.moments:
            lines.append(f"  {moment.rule} (line {moment.line})")
            lines.append(f"    {words.instant_text(moment.at, clock)}: {words.deed(moment, clock)}")
    return "\n".join(lines)


def _asked(segment: Segment) -> list[str]:
    """The setpoint, or a line for each case; the last one names who gives it while every ``if`` is false."""
    ordinary = segment.ordinary()
    cases = [words.case_text(condition, spoken) for condition, spoken in segment.cases()]
    if not cases:
        return [str(ordinary.setpoint)]
    return [*cases, f"otherwise: {ordinary.setpoint}, by {words.givers(ordinary)}"]


def _period(it: Explanation) -> str:
    if it.segment.period is None:
        return "none: the tariff does not cover this time"
    prices = [
        f"{kind} {price:g}"
        for kind, price in (("import", it.segment.import_price), ("export", it.segment.export_price))
        if price is not None
    ]
    per = f" {it.currency} per kWh".replace("  ", " ") if prices else ""
    return f"{it.segment.period} (line {it.period_line})" + "".join(f", {price}" for price in prices) + per


def _since(it: Explanation, clock: WallClock) -> str:
    return f"more than {HORIZON.days} days" if it.since is None else words.instant_text(it.since, clock)


def _next_change(it: Explanation, clock: WallClock) -> str:
    if it.upcoming is None:
        return f"none within {HORIZON.days} days"
    at, asked = words.instant_text(it.upcoming.start, clock), _asked(it.upcoming)
    return f"{at} to {asked[0]}" if len(asked) == 1 else _INDENT.join([at, *asked])


def _outcome(heard: Heard) -> list[str]:
    match heard.outcome:
        case Spoke() as spoke:
            return [_gives(heard.claim, spoke), *_exceptions(spoke)]
        case Beaten(by=by):
            return ["beaten by " + " and ".join(words.named(claim) for claim in by)]
        case PassedOver(because=because):
            return [f"passed over, {because}"]


def _gives(claim: Claim, spoke: Spoke) -> str:
    asked = claim.setpoint.given()
    gives = f"gives {words.fields(spoke.fields)}: {Setpoint(**{name: asked[name] for name in spoke.fields})}"
    if spoke.condition is None:
        return gives
    return f"{gives}, if {spoke.condition}: {'it is so' if spoke.settled else 'depends on the gateway'}"


def _exceptions(spoke: Spoke) -> list[str]:
    lines = [
        f"unless {claim.condition}: {words.named(claim)} gives {words.fields(gives)}"
        for claim, gives in spoke.unless[:_MOST_TOLD]
    ]
    more = len(spoke.unless) - _MOST_TOLD
    return [*lines, f"unless the if of one of {more} more rules is true"] if more > 0 else lines
