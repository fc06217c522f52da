"""Listeners and windows: log lines and status. Nothing here changes anything."""
