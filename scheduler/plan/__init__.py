"""Pure: (schedule, from, until) gives a Timeline.

No clock is read, no file opened; wall-clock time ends in `wallclock`.
"""
