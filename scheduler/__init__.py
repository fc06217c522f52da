"""tou-scheduler: runs a Tesla Powerwall by the clock of the electricity tariff and proves every switch."""

__version__ = "0.1.0"
