"""The ways in which a gateway says no, with the words of real ones.

When it says so is decided in `device.py`, `sessions.py` and `api.py`. Sources are issues of the gateway's public
documentation (powerwall2) and of Home Assistant (HA).
"""

from __future__ import annotations


class Refusal(Exception):
    """An answer that says no: status, error and message of the body. Without an error the body is empty."""

    def __init__(self, code: int, error: str = "", message: str = "") -> None:
        super().__init__(f"{code} {error}".strip())
        self.code = code
        self.error = error
        self.message = message


def bad_credentials(error: str) -> Refusal:
    """Wrong user or password, in the words of the firmware (powerwall2 issues 1 and 23)."""
    return Refusal(401, error, "Login Error")


def physical_access(role: str) -> Refusal:
    """A login that wants somebody at the Powerwall's switch, since 1.50.1 (powerwall2 issue 34)."""
    return Refusal(401, f"roles [{role}] require physical access", "Login Error")


def switch_not_turned() -> Refusal:
    """Nobody has turned the Powerwall off and on yet. The status is the gateway's own page's; its body was never seen."""
    return Refusal(417, "waiting for the enable switch", "Expectation Failed")


def token_expired() -> Refusal:
    """A token that was made to expire. No such answer was ever captured; the message is the one that pypowerwall expects."""
    return Refusal(401, "bad credentials", "Token Expired")


def no_access(method: str) -> Refusal:
    """No token, one that the gateway does not know (any more), or a role too low (powerwall2 issues 18 and 45)."""
    return Refusal(403, f"Unable to {method} to resource", "User does not have adequate access rights")


def too_many_logins() -> Refusal:
    """The login endpoint after many bad logins (HA issue 128506)."""
    return Refusal(429, "Api Limit reached for this endpoint", "API Limit Reached")


def no_such_mode(operation_key: str) -> Refusal:
    """A mode that this firmware does not take, or takes under another key (powerwall2 issues 8 and 10)."""
    field = {"mode": "Mode", "real_mode": "RealMode"}[operation_key]
    return Refusal(
        500, f"{field} must be either self_consumption or backup", "Unable to set operational mode"
    )


def cannot_start_wizard() -> Refusal:
    """Power flows, so the site controller does not stop (README of the gateway, GET /api/sitemaster/stop)."""
    return Refusal(500, "Cannot Start Wizard", "Unable to stop sitemaster")


def running() -> Refusal:
    """Only while stopped (README of the gateway, GET /api/powerwalls/status, its grammar included)."""
    return Refusal(409, "Sitemaster is current running", "Sitemaster is current running")


def only_while_stopped(what: str) -> Refusal:
    """What the site controller keeps to itself while it runs (a 21.39.1 gateway)."""
    return Refusal(400, "run sitemanager flag enabled, sitemanager process is running", what)


def no_phases() -> Refusal:
    """Nothing is known of the phases, running or not (a 21.39.1 gateway)."""
    return Refusal(500, "no phase information", "Failed getting phase detection information")


def not_a_neurio(meter_type: str) -> Refusal:
    """The amperes of a meter of another maker (a 21.39.1 gateway)."""
    return Refusal(500, f"meter type must be Neurio ({meter_type})", "Unable to get Amp configuration")


def stopped() -> Refusal:
    """What the site controller would have to say while it is stopped: 502 and not a byte (a 21.39.1 gateway)."""
    return Refusal(502)


def busy() -> Refusal:
    """Somebody else configures (HA issue 137847)."""
    return Refusal(503, "current config mode is busy", "current config mode is busy")


def gone() -> Refusal:
    """Not reachable, where a connection cannot be dropped instead."""
    return Refusal(503)


def malformed(error: str) -> Refusal:
    """A body that cannot be read. No such answer was ever captured."""
    return Refusal(400, error, "Bad Request")
