"""`rehearse`: years of the real program against a simulated gateway in seconds, with faults, and what was kept of it all."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from scheduler.cli.common import ConfigOption, Exit, JsonOption, fail, load_or_fail, print_json
from scheduler.cli.demo import file_to_show

DaysOption = Annotated[float, typer.Option(min=0.1, max=3650, help="How many days each rehearsal takes.")]
SeedOption = Annotated[
    int, typer.Option(min=0, help="What chance begins with: the same seed, the same rehearsal.")
]
FaultsOption = Annotated[
    str,
    typer.Option(
        help='What goes wrong: "swarm", "none", or kinds with commas between them, such as "killed,offline".'
    ),
]
RunsOption = Annotated[
    int | None,
    typer.Option(min=1, max=100_000, help="How many rehearsals, each with chances of its own (1)."),
]
RunOption = Annotated[int | None, typer.Option(min=0, help="Only the rehearsal of this number.")]
JobsOption = Annotated[int | None, typer.Option(min=1, max=256, help="On how many processors (all of them).")]
TickOption = Annotated[
    bool, typer.Option("--every-tick", help="Leap over nothing: slow, and the same comes of it.")
]


def rehearse(
    *,
    config: ConfigOption = None,
    days: DaysOption = 365,
    seed: SeedOption = 1,
    faults: FaultsOption = "swarm",
    runs: RunsOption = None,
    run: RunOption = None,
    jobs: JobsOption = None,
    every_tick: TickOption = False,
    json: JsonOption = False,
) -> None:
    """Rehearse the plan: the real program for years against a simulated gateway, with faults, in seconds.

    Time is virtual, and nothing is asked of any real gateway: its firmware, the login and what keeps the clock are the
    rehearsal's own. Exits 1 if a promise broke, and says how to see it again.
    """
    from scheduler.app.rehearsal.performance import order_of, rehearse_all
    from scheduler.app.rehearsal.summary import Summary
    from scheduler.daemon.clock import SystemClock

    if run is not None and runs is not None:
        fail("--runs is not for --run, which is one rehearsal: leave one of them out", Exit.USAGE)
    kinds = _kinds(faults)
    configuration = load_or_fail(file_to_show(config), warn=False)
    order = order_of(configuration, seed=seed, days=days, kinds=kinds, every_tick=every_tick)
    numbers = range(runs or 1) if run is None else range(run, run + 1)
    clock, summary = SystemClock(), Summary()
    began_s = clock.monotonic()
    for performance in rehearse_all(order, numbers, jobs or os.cpu_count() or 1):
        summary.add(performance)
    summary.took_s = clock.monotonic() - began_s
    document = summary.document()
    if json:
        print_json(document)
    else:
        _show(document)
    again = f"tou-scheduler rehearse --days {days:g} --seed {seed} --faults {faults!r}"
    if config is not None:
        again += f" --config {config}"
    for broken in document["broken"]:
        _say_broken(broken, seed, f"{again} --run {broken['run']}")
    if (
        document["kept"]
        and not summary.judged
        and any(rule.condition for rule in configuration.schedule.rules)
    ):
        sentence = "no boundary was judged, since what this plan asks for always hangs on an `if`, which a rehearsal does not evaluate"
        fail(f"{sentence}; rehearse it without its conditions", Exit.USAGE)
    raise typer.Exit(Exit.FINE if document["kept"] else Exit.NO)


def _kinds(faults: str) -> tuple[str, ...] | None:
    """The kinds of faults that were asked for; None for a swarm."""
    from scheduler.app.rehearsal.kinds import KINDS

    if faults == "swarm":
        return None
    if faults == "none":
        return ()
    kinds = tuple(kind.strip() for kind in faults.split(","))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        known = ", ".join(KINDS)
        fail(f"--faults: there is no {unknown[0]!r}; write swarm, none, or some of: {known}", Exit.USAGE)
    return kinds


def _show(document: dict[str, Any]) -> None:
    """What was kept, for a person."""
    boundaries, stopped = document["boundaries"], document["stopped_minutes"]
    print(f"{document['years']:g} years in {document['runs']} rehearsals, {document['seconds']:g} s")
    gateways = ", ".join(f"{firmware} ({times})" for firmware, times in document["firmware"].items())
    print(f"  gateways                     {gateways}")
    print(f"  simulated years per second   {document['years_per_second']:g}")
    print(
        f"  boundaries met               {boundaries['met']}, missed while something went wrong {boundaries['missed']}"
    )
    for words, key in (("without faults", "late_s_without_faults"), ("with faults", "late_s_with_faults")):
        late = boundaries[key]
        print(f"  late {words:<23} p50 {late['p50']:g} s, p99 {late['p99']:g} s, at most {late['max']:g} s")
    for words in ("switches", "writes", "requests", "logins", "cycles", "processes"):
        print(f"  {words:<28} {document[words]}")
    print(f"  battery stopped by us        {stopped['us']:g} min, by others {stopped['others']:g} min")
    print(f"  steps at which it was killed {len(document['kills'])}, {sum(document['kills'].values())} times")
    print("  faults")
    for kind, times in document["faults"].items():
        if times:
            print(f"    {kind:<26} {times}")
    print(f"  trace                        {document['trace']}")


def _say_broken(broken: dict[str, Any], seed: int, again: str) -> None:
    """One rehearsal in which a promise broke."""
    print(
        f"BROKEN {broken['id']} in run {broken['run']} of seed {seed} at {broken['at']}: {broken['sentence']}"
    )
    print(
        f"  seen: {broken['seen']}" + (f" (and {broken['more']} more in this run)" if broken["more"] else "")
    )
    print(f"  again: {again}")
