"""The grid as the loop sees it: told when it changes, each alert once, and never at the cost of a switch or a login."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from bench import Bench, bench, local
from days import Run

from scheduler.model.events import GatewayLost, GridChanged, GridFault, PersonNeeded, Switched
from scheduler.model.evidence import Verdict
from scheduler.model.reading import Grid
from scheduler.observe.logs import line

FAULTS = "GET /api/system_status/grid_faults"
LOGIN = "POST /api/login/Basic"
UNDER = "PINV_a006_vfCheckUnderFrequency"
OVER = "PINV_a007_vfCheckOverFrequency"
SERIAL = "TG118123456789"


def alert(name: str, *, fault: bool = False) -> dict[str, object]:
    """An alert as the README of the gateway shows one, with the serial numbers that come with it."""
    return {
        "timestamp": 1569976192352,
        "alert_name": name,
        "alert_is_fault": fault,
        "decoded_alert": json.dumps([{"name": "PINV_alertID", "value": SERIAL}]),
        "alert_raw": 432406325129904128,
        "git_hash": "14f7c1769ec307",
        "ecu_package_serial_number": SERIAL,
    }


def says(b: Bench, *alerts: dict[str, object]) -> None:
    """From now on the gateway reports these alerts."""
    b.wire.answers[FAULTS] = (200, json.dumps(alerts).encode())


async def test_an_outage_is_told_when_it_begins_and_when_it_ends() -> None:
    """Two events with the grid before and after; that it was connected at first is no news."""
    b = bench(local("12:00"))
    run = Run(b)
    await run.until(local("12:20"))
    assert run.told(GridChanged) == []

    b.device.switch_grid(Grid.ISLANDED)
    await run.until(local("12:40"))
    b.device.switch_grid(Grid.CONNECTED)
    await run.until(local("13:00"))

    told = run.told(GridChanged)
    assert [(e.before, e.after) for e in told] == [
        (Grid.CONNECTED, Grid.ISLANDED),
        (Grid.ISLANDED, Grid.CONNECTED),
    ]
    assert "without the grid" in told[0].message
    assert told[0].at <= local("12:26")


async def test_each_alert_is_told_once_when_it_comes_and_once_when_it_goes() -> None:
    """However often it is read, an alert is two lines, with the gateway's word for it and no serial number."""
    b = bench(local("12:00"))
    run = Run(b)
    says(b, alert(UNDER), alert(UNDER, fault=True))
    await run.until(local("12:30"))
    says(b, alert(UNDER), alert(OVER))
    await run.until(local("12:50"))
    says(b)
    await run.until(local("13:10"))

    told = run.told(GridFault)
    assert [(e.alert, e.state) for e in told] == [(UNDER, "on"), (OVER, "on"), (UNDER, "off"), (OVER, "off")]
    assert ["a fault" in e.message for e in told] == [True, False, False, False]
    assert ["a warning" in e.message for e in told] == [False, True, False, False]
    for event in told:
        assert SERIAL not in str(line(event, local("12:00").tzinfo))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, b""),
        (403, b""),
        (404, b""),
        (405, b""),
        (502, b""),
        (500, b""),
        (200, b"{}"),
        (200, b'[{"alert_name": "<script>"}]'),
        (200, b"[3]"),
    ],
)
async def test_a_gateway_that_does_not_tell_alerts_is_no_trouble(status: int, body: bytes) -> None:
    """Whatever this call answers: nobody is alarmed, no login follows but one for a 401, and the switch is made."""
    b = bench(local("20:30"))
    b.wire.answers[FAULTS] = (status, body)
    run = Run(b)

    await run.until(local("22:10"))

    assert run.told(GridFault) == []
    assert run.told(GatewayLost) == []
    assert run.told(PersonNeeded) == []
    assert [e.record.verdict for e in run.told(Switched)] == [Verdict.VERIFIED, Verdict.VERIFIED]
    assert b.story.count(LOGIN) <= (2 if status in {401, 403} else 1)


async def test_silence_that_the_alerts_want_is_kept() -> None:
    """A 429 on this call means what it means everywhere: it is said, and nothing is asked for 300 s."""
    b = bench(local("12:00"))
    run = Run(b)
    await run.until(local("12:04"))
    b.wire.answers[FAULTS] = (429, b"")
    b.wire.then = lambda call: asked.append((call, b.clock.now()))
    asked: list[tuple[str, datetime]] = []

    await run.until(local("12:30"))

    at = [call for call, _ in asked].index(FAULTS)
    assert asked[at + 1][1] - asked[at][1] >= timedelta(seconds=300)
    assert len(run.told(GatewayLost)) == 1


async def test_a_switch_does_not_wait_for_the_grid() -> None:
    """At a boundary nothing is asked of the grid before the switch is done: a warm one is four round trips."""
    b = bench(local("22:00"))
    run = Run(b)
    await run.until(local("22:04"))
    b.story.clear()

    await run.until(local("22:06"))

    assert run.records[-1].verdict is Verdict.VERIFIED
    assert len(run.records[-1].steps) == 4
    assert FAULTS not in b.story


async def test_alerts_are_heard_while_the_charge_cannot_be_read() -> None:
    """One of the two readings fails: the other is told all the same."""
    b = bench(local("12:00"))
    b.wire.answers["GET /api/system_status/grid_status"] = (200, b'{"grid_status":"SystemSomethingNew"}')
    b.wire.answers[FAULTS] = (200, b'[{"alert_name":"a_1","alert_is_fault":true},{"alert_name":"?"}]')
    run = Run(b)

    await run.until(local("12:10"))

    assert [event.alert for event in run.told(GridFault)] == ["a_1"]
