"""The process: clock, alarms, reload, signals. No decision about the battery is made here."""
