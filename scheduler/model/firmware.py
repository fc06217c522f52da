"""Which firmware versions the simulated gateway can play: the file is checked against this, the simulator made by it.

How each behaves is the simulator's business.
"""

from __future__ import annotations

SIMULATED = ("1.45.2", "1.15", "1.21", "1.43.3", "1.50.1", "21.39", "23.28")
"""The first is the one unless asked for another: the firmware that the gateway's README describes."""
