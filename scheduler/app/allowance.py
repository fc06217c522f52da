"""What a firmware and a role allow, in words, by what is known of them. Nothing is asked and nothing is tried here."""

from __future__ import annotations

from collections.abc import Collection

from scheduler.app.findings import Said, failed, not_tried, passed
from scheduler.gateway.habits import habits_of, version_of

INSTALLER_ROLE = "Provider_Engineer"
"""The role that may switch, in the gateway's words (powerwall2 issues 18 and 34)."""

_ROLES = {INSTALLER_ROLE: "the installer", "Home_Owner": "the owner of the house"}


def role_in_words(roles: Collection[str]) -> str:
    """Roles in the gateway's words and in ours."""
    return ", ".join(f"{role} ({_ROLES.get(role, 'not known here')})" for role in roles)


def allowance(firmware: str, *, installer: bool) -> Said:
    """What this firmware lets an installer do, or else a customer, when nobody stands at the Powerwall.

    Failed where it may not switch: that is what this program is for.
    """
    if version_of(firmware) is None:
        return not_tried(f"what firmware {firmware} allows is not known here; the first switch will show it")
    habits = habits_of(firmware)
    if not habits.takes_installer:
        return _no_local_control(installer=installer, reads_want_login=habits.reads_want_login)
    if not installer:
        return failed(
            f"reading only: on firmware {firmware} an installer may switch, but a customer may not",
            "set gateway.username: installer, and give the installer's password",
        )
    late = "; this line obeys one step late, so each write is said twice" if habits.commits_late else ""
    return passed(
        f"reading and switching: firmware {firmware} is known to take both from an installer, "
        f"and the first switch will prove it{late}"
    )


def _no_local_control(*, installer: bool, reads_want_login: bool) -> Said:
    reading = (
        "what still works is reading, with the customer's login"
        if reads_want_login
        else "what still works is reading, most of it without a login and the rest with the customer's"
    )
    to_read = "to read here, set gateway.username: customer and give that password; " if installer else ""
    return failed(
        "reading only: this gateway does not take local control from a login that nobody attends, because firmware "
        f"from 1.50 on lets an installer in only while somebody toggles a switch on the Powerwall; {reading}",
        f"{to_read}to switch, use Tesla's app; older firmware, which would do it, is not to be had",
    )
