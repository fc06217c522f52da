"""Small copies of the answers of real gateways, by firmware: same keys, types and oddities, values of ours. No tests here.

`21.39` follows a published dump of a whole gateway, running and stopped; the other lines follow what the README and its
readers published, so only a few answers of each are known. `broken` holds answers that were seen and lack something.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

SHAPES = Path(__file__).parent / "shapes"


@cache
def shape(name: str) -> bytes:
    """The body in a file such as `21.39/running/status`, without its ending."""
    return (SHAPES / f"{name}.json").read_bytes()


@cache
def shapes() -> tuple[str, ...]:
    """The names of all of them, as `shape` takes them."""
    names = (path.relative_to(SHAPES).as_posix().removesuffix(".json") for path in SHAPES.rglob("*.json"))
    return tuple(sorted(names))
