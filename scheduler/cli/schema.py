"""`schema`: the JSON Schema of the configuration file, for editors."""

from __future__ import annotations

from scheduler.cli.common import print_json


def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    from scheduler.config.schema import json_schema

    print_json(json_schema())
