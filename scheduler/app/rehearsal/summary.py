"""Many rehearsals in one document: what was kept, how late, how often what went wrong, and what broke."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from typing import Any

from scheduler.app.rehearsal.kinds import KINDS
from scheduler.app.rehearsal.performance import Performance

YEAR_S = 365 * 86400.0
FAULT = "fault "


@dataclass(slots=True, kw_only=True)
class Summary:
    """The sum of all rehearsals so far. Times in seconds; ``took_s`` is the machine's."""

    runs: int = 0
    seconds: float = 0.0
    firmwares: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    calm_s: list[float] = field(default_factory=list)
    faulty_s: list[float] = field(default_factory=list)
    missed: int = 0
    stopped_s: Counter[str] = field(default_factory=Counter)
    broken: list[Performance] = field(default_factory=list)
    took_s: float = 0.0
    _traces: Any = field(default_factory=lambda: blake2b(digest_size=16))

    def add(self, performance: Performance) -> None:
        """Count one more; they come in the order of their numbers."""
        self.runs += 1
        self.seconds += performance.seconds
        self.firmwares[performance.firmware] += 1
        self.counts += performance.counts
        self.killed += performance.killed
        self.calm_s += performance.lateness.calm_s
        self.faulty_s += performance.lateness.faulty_s
        self.missed += performance.lateness.missed
        for whose, stopped_s in performance.stopped_s.items():
            self.stopped_s[whose] += stopped_s  # type: ignore[assignment]  # a counter of seconds
        self._traces.update(performance.trace.encode())
        if performance.broken:
            self.broken.append(performance)

    @property
    def judged(self) -> int:
        """How many boundaries were met or missed; none is where what should be hangs on what the gateway says."""
        return len(self.calm_s) + len(self.faulty_s) + self.missed

    @property
    def years(self) -> float:
        """How long was rehearsed, in years of 365 days."""
        return self.seconds / YEAR_S

    @property
    def years_per_second(self) -> float:
        """How fast, all processors together."""
        return self.years / self.took_s if self.took_s else 0.0

    def document(self) -> dict[str, Any]:
        """The public form, `tou-scheduler/rehearsal`, version 1."""
        return {
            "schema": "tou-scheduler/rehearsal",
            "version": 1,
            "kept": not self.broken,
            "runs": self.runs,
            "years": round(self.years, 3),
            "firmware": dict(sorted(self.firmwares.items())),
            "boundaries": {
                "met": len(self.calm_s) + len(self.faulty_s),
                "missed": self.missed,
                "late_s_without_faults": percentiles(self.calm_s),
                "late_s_with_faults": percentiles(self.faulty_s),
            },
            "switches": self.counts["event switch"],
            "writes": self.counts["writes"],
            "requests": self.counts["requests"],
            "logins": self.counts["logins"],
            "cycles": self.counts["cycles"],
            "processes": self.counts["processes"],
            "stopped_minutes": {whose: round(self.stopped_s[whose] / 60, 1) for whose in ("us", "others")},
            "faults": {kind: self.counts[FAULT + kind] for kind in KINDS},
            "kills": dict(sorted(self.killed.items())),
            "broken": [
                {
                    "run": performance.run,
                    "id": first.identifier,
                    "at": (performance.start + timedelta(seconds=first.at_s)).isoformat(timespec="seconds"),
                    "sentence": first.sentence,
                    "seen": first.seen,
                    "more": len(performance.broken) - 1,
                }
                for performance in self.broken
                for first in performance.broken[:1]
            ],
            "trace": self._traces.hexdigest(),
            "seconds": round(self.took_s, 2),
            "years_per_second": round(self.years_per_second, 3),
        }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """The median, the 99th of a hundred, and the worst; zero of nothing."""
    ordered = sorted(values)
    if not ordered:
        return {"p50": 0.0, "p99": 0.0, "max": 0.0}
    middle, nearly = ordered[len(ordered) // 2], ordered[min(len(ordered) * 99 // 100, len(ordered) - 1)]
    return {"p50": round(middle, 1), "p99": round(nearly, 1), "max": round(ordered[-1], 1)}
