"""File to values: every problem of a configuration with its line. Nothing here talks to a gateway."""
