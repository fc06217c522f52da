"""The gateway's answer about its updater as a JSON value."""

from __future__ import annotations

from typing import Any

from scheduler.simulator.bodies import milliseconds
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.updater import PACKAGE_BYTES


def update_status(device: SimulatedGateway) -> Any:
    """GET /api/system/update/status; times in milliseconds since 1970. From when on it says more is not known.

    No body of a download was ever captured: that these names stand in it is known from the gateway's own page, which reads
    them; those of the two byte counts are made up.
    """
    now = device.now()
    stage, download = device.updater.stage(now), device.updater.download(now)
    said: dict[str, Any] = {
        "state": stage.state,
        "info": {"status": list(stage.status)},
        "current_time": milliseconds(now),
    }
    if device.personality.since(20):
        said |= {
            "last_status_time": milliseconds(stage.since),
            "version": device.firmware,
            "offline_updating": False,
            "offline_update_error": "",
            "estimated_bytes_per_second": None if download is None else download.bytes_per_second,
        }
        if download is not None:
            said |= {
                "last_download_status_time": milliseconds(now),
                "start_time": milliseconds(download.since),
            }
            said["info"] |= {"bytes_downloaded": download.done_bytes, "bytes_total": PACKAGE_BYTES}
    return said
