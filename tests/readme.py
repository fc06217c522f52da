"""The README as its reader types it: its sections, and the lines of their blocks of commands. No tests here."""

from __future__ import annotations

import re
import textwrap

from processes import ROOT

README = (ROOT / "README.md").read_text()


def sections() -> dict[str, str]:
    """The text of each section, by its title."""
    return {
        it.partition("\n")[0]: it.partition("\n")[2]
        for it in re.split(r"^## ", README, flags=re.MULTILINE)[1:]
    }


def blocks(section: str) -> list[str]:
    """The blocks of commands of the section with this title, in order; a KeyError if there is no such section."""
    found = re.findall(r"^ *```sh\n(.*?)^ *```", sections()[section], re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in found]


def commands(section: str) -> list[str]:
    """Each command line of a section, in order; one that a backslash carries on is one line."""
    text = re.sub(r"\\\n\s*", "", "".join(blocks(section)))
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
