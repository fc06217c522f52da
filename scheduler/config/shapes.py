"""Which keys go together: a rule is a window or a moment, a gateway is local or simulated.

Only inside one section; what needs the tariff is in `names`, `coverage` and `outlook`.
"""

from __future__ import annotations

from scheduler.config.draft import Draft
from scheduler.config.lines import KeyPath
from scheduler.config.problems import quoted
from scheduler.config.report import Report
from scheduler.config.schema import Ask, Gateway, If, Rule
from scheduler.config.words import did_you_mean
from scheduler.model.firmware import SIMULATED

GAP = (80, 100)
"""Above the first and below the second, gateways since firmware 25.18.4 keep no reserve: they round to 80 or
to 100, or answer with an error (evcc meter/powerwall.go, batpred issue 4976, Home Assistant issue 149420).
"""

WHOLE = 100
"""A full battery, in percent."""

_OF_WINDOWS = ("early", "late", "on_drift")
_OF_MOMENTS = ("at", "install", "done_by")


def check_shapes(draft: Draft, report: Report) -> None:
    """Put keys that contradict each other into the report."""
    gap = not draft.keeps_every_reserve
    if draft.gateway is not None and not report.is_broken(("gateway",)):
        _check_gateway(report, draft.gateway)
    if draft.default is not None:
        _check_ask(report, draft.default, ("default",), gap=gap)
    for index, rule in draft.rules.items():
        path: KeyPath = ("rules", index)
        if not report.is_broken(path):
            _check_kind(report, rule, path)
        if rule.setpoint is not None:
            _check_ask(report, rule.setpoint, (*path, "set"), gap=gap)
        if rule.condition is not None:
            _check_condition(report, rule.condition, (*path, "if"))


def _check_gateway(report: Report, gateway: Gateway) -> None:
    if gateway.type == "local":
        for key in ("host", "username"):
            if getattr(gateway, key) is None:
                hint = "a name or an address, like powerwall" if key == "host" else "installer or customer"
                report.error(("gateway",), f"a local gateway needs '{key}'", hint)
        if gateway.username == "customer":
            message = "a customer may read the gateway, and cannot switch it"
            hint = "log in as installer, or expect refusals; only firmware up to 1.49 takes an installer"
            report.warn(("gateway", "username"), message, hint)
        if gateway.firmware is not None:
            hint = "remove it: a local gateway tells its firmware itself"
            report.error(
                ("gateway", "firmware"), "only a simulated gateway is given a firmware", hint, at_key=True
            )
    elif gateway.firmware is not None and gateway.firmware not in SIMULATED:
        hint = did_you_mean(gateway.firmware, SIMULATED) or f"known here: {', '.join(SIMULATED)}"
        message = f"no simulated gateway has firmware {quoted(gateway.firmware)}"
        report.error(("gateway", "firmware"), message, hint)
    port_of_host = gateway.host[1] if gateway.host is not None else None
    if gateway.port is not None and port_of_host not in (None, gateway.port):
        report.error(("gateway", "port"), f"host says port {port_of_host} already", "remove one of them")


def _check_kind(report: Report, rule: Rule, path: KeyPath) -> None:
    given = rule.model_fields_set
    if rule.setpoint is not None and rule.do is not None:
        message = "a rule has either 'set' or 'do', not both"
        report.error((*path, "do"), message, "make it two rules", at_key=True)
    elif rule.setpoint is not None:
        for key in _OF_MOMENTS:
            if key in given:
                message = f"'{key}' belongs to a rule with 'do', and this one has 'set'"
                hint = "say when with during, hours, days, season or dates" if key == "at" else "remove it"
                report.error((*path, key), message, hint, at_key=True)
    elif rule.do is not None:
        for key in _OF_WINDOWS:
            if key in given:
                message = f"'{key}' belongs to a rule with 'set', and this one has 'do'"
                report.error((*path, key), message, "remove it: a moment has no length", at_key=True)
        if rule.do == "check_path" and "install" in given:
            message = "'install' belongs to check_firmware, and this rule has check_path"
            hint = "remove it: a check of the path installs nothing"
            report.error((*path, "install"), message, hint, at_key=True)
        if rule.at is None:
            report.error(path, "a rule with 'do' needs 'at'", "say when, like at: 45m before on_peak starts")
    else:
        report.error(path, "a rule needs 'set' or 'do'", "say what it is for, like set: {mode: backup}")


def _check_ask(report: Report, ask: Ask, path: KeyPath, *, gap: bool) -> None:
    if ask.mode is None and ask.reserve is None:
        report.error(path, f"'{path[-1]}' asks for nothing", "give it a mode, a reserve, or both")
    unkept = not_kept(ask.reserve) if gap and ask.reserve is not None else None
    if unkept is not None:
        report.error((*path, "reserve"), *unkept)


def not_kept(reserve: float) -> tuple[str, str] | None:
    """What is wrong with a reserve, in percent, that most gateways do not keep, and what to do; None if they keep it."""
    if not GAP[0] < reserve < GAP[1]:
        return None
    remedy = "use 80 or 100; if yours keeps 81 to 99, say so with gateway: {reserve_gap: none}"
    return f"most gateways do not keep a reserve of {reserve:g}", remedy


def _check_condition(report: Report, condition: If, path: KeyPath) -> None:
    below, above = condition.charge_below, condition.charge_above
    if not condition.model_fields_set:
        report.error(
            path, "'if' holds no condition", "give it charge_below, charge_above or grid, or remove it"
        )
    if below is not None and above is not None and above >= below:
        message = f"a charge is never above {above:g} and below {below:g}"
        report.error((*path, "charge_above"), message, "charge_above must be less than charge_below")
    elif below == 0 or above == WHOLE:
        key, message = ("charge_below", "below 0") if below == 0 else ("charge_above", "above 100")
        report.error((*path, key), f"a charge is never {message}", "both bounds are exclusive")
