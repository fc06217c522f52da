"""Memory on disk: journal and marker. Losing it may cost history, never safety."""
