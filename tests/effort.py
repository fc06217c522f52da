"""How hard the tests with made-up input look: briefly in `make test`, long in `make test-slow`. No tests here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, settings

LONGEST_S = 5.0
"""Of processor time, for the largest answer there can be: what is not linear in its length takes minutes."""

_ALWAYS = settings(
    deadline=None,  # it counts what other processes take, too; `soon` does not
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],  # a body of 256 KiB is large
    print_blob=True,
)

BRIEF = settings(_ALWAYS, max_examples=150)
LONG = settings(_ALWAYS, max_examples=20_000)
CLIENT_BRIEF = settings(_ALWAYS, max_examples=75)
CLIENT_LONG = settings(_ALWAYS, max_examples=5_000)


@contextmanager
def soon(longest_s: float = LONGEST_S) -> Iterator[None]:
    """Fails if what is done within takes longer: nothing that a gateway says may keep the daemon from its work."""
    began_s = time.process_time()
    yield
    took_s = time.process_time() - began_s
    assert took_s < longest_s, f"{took_s:.1f} s"
