"""The password that the service has, where root finds it: a file that only root may read, as it is or encrypted by systemd.

systemd hands the daemon a copy of it (systemd.exec(5), LoadCredential=). A person who runs a command with sudo beside the
service means the same password. Who keeps it there is not decided here.
"""

from __future__ import annotations

import shutil
from pathlib import Path

NAME = "gateway_password"
"""What systemd calls the credential, and part of what it encrypts: another name does not decrypt."""

ENCRYPTED_SUFFIX = ".cred"

CONFIGURATION = Path("/etc/tou-scheduler/tou.yaml")
"""The configuration of the service; its password lies beside it."""

_PATIENCE_S = 60.0
"""A machine with a TPM may take seconds."""


class Locked(Exception):
    """An encrypted password cannot be decrypted; the text says why, in a sentence."""


def encrypted_beside(plain: Path) -> Path:
    """Where the password lies if it is encrypted, and not as it is in ``plain``."""
    return plain.with_name(plain.name + ENCRYPTED_SUFFIX)


def decrypt(path: Path) -> bytes:
    """What systemd encrypted into this file; Locked if it is not for this machine any more, or if systemd-creds is missing."""
    import subprocess  # noqa: PLC0415 - only root with an encrypted password needs it

    program = shutil.which("systemd-creds")
    if program is None:
        raise Locked("the password is encrypted, and systemd-creds, which decrypts it, is not here")
    words = [program, "decrypt", f"--name={NAME}", str(path), "-"]
    try:
        done = subprocess.run(words, capture_output=True, check=False, timeout=_PATIENCE_S)  # noqa: S603 - a list of ours
    except subprocess.TimeoutExpired:
        raise Locked("the password is encrypted, and systemd-creds does not come to an end") from None
    if done.returncode:
        said = (done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
        raise Locked(
            "the password cannot be decrypted: this machine's key, /var/lib/systemd/credential.secret, is another one than "
            f"it was encrypted with, or is lost ({said})"
        )
    return done.stdout
