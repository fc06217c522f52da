"""Nouns: setpoint, reading, timeline, evidence, events, errors. Standard library only, frozen, no clock, no I/O."""
