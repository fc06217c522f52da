"""What all tests have in common: they run beside a machine's own libraries as the program does, only sooner."""

from __future__ import annotations

import sys
from importlib.util import find_spec

if find_spec("sniffio") is None:
    # httpx asks for it at each request that stays within the process, and Python would search all its folders each time. None
    # in this place is its own word for a module that must not be found.
    sys.modules["sniffio"] = None  # type: ignore[assignment]
