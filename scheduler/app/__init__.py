"""Puts the parts together: the only place where concrete classes meet. No policy about the battery of its own."""

from scheduler.app.daemon import Daemon
from scheduler.app.once import once, policy_of
from scheduler.app.plug import connect

__all__ = ["Daemon", "connect", "once", "policy_of"]
