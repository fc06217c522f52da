"""Which names and which texts reveal something: the keys of the gateway's answers, and shapes that speak for themselves.

Knowledge only, one table of each; what is done about it is `redact.py`'s. Sources are the README of the gateway, a real
21.39.1, and what readers of such lists asked to have hidden.
"""

from __future__ import annotations

import ipaddress
import re

SERIAL = "serial"
PASSWORD = "password"  # noqa: S105 - the word, not one
TOKEN = "token"  # noqa: S105 - the same
EMAIL = "e-mail"
PHONE = "phone"
NAME = "name"
PLACE = "place"
NETWORK = "network"
ADDRESS = "address"
ACCOUNT = "account"

GATHERED = {SERIAL: 4, PASSWORD: 4, TOKEN: 8, EMAIL: 5, PHONE: 7, NAME: 6, NETWORK: 6}
"""What is hidden wherever else it occurs once it was seen under its key, and from how many characters on.

Not a city: its name is part of the time zone, which must stay readable.
"""

_WORDS = {
    SERIAL: {
        "serial", "serials", "sn", "din", "dins", "vin", "vins", "tsn", "imei", "imsi", "iccid", "meid", "esn", "uid", "uuid",
    },
    PASSWORD: {
        "password", "passwords", "passwd", "passcode", "pass", "pwd", "pw", "pin", "psk", "passphrase", "secret", "secrets",
        "credential", "credentials",
    },
    TOKEN: {"token", "cookie", "authcookie", "userrecord", "authorization", "bearer"},
    EMAIL: {"email", "emails", "mail"},
    PHONE: {"phone", "phones", "mobile", "tel", "telephone", "fax", "msisdn"},
    PLACE: {"street", "city", "zip", "zipcode", "postcode", "postal", "latitude", "longitude", "lat", "lon", "lng"},
    NETWORK: {"ssid", "essid"},
    ADDRESS: {"ip", "ipv4", "ipv6", "mac", "bssid", "host", "hostname", "hwaddr", "address", "address1", "address2"},
}  # fmt: skip
"""One of these words in a key tells what its value is: `device_serial`, `hw_address`, `PackageSerialNumber`."""

_WHOLE = {
    SERIAL: {"shortid", "sensorid", "deviceid", "gatewayid", "batteryid", "siteid", "energysiteid", "leader", "followers"},
    PASSWORD: {"wifikey", "networkkey", "privatekey", "apikey", "accesskey", "presharedkey", "wpakey", "wpa2key", "wlankey"},
    TOKEN: {"sessionid", "auth"},
    EMAIL: {"emailaddress"},
    NAME: {
        "firstname", "lastname", "fullname", "surname", "givenname", "familyname", "ownername", "owner", "username",
        "customername", "contactname", "contact", "nickname", "sitename",
    },
    ADDRESS: {"ipaddress", "macaddress", "hwaddress"},
    NETWORK: {"networkname", "wifiname", "apname"},
    ACCOUNT: {"customerid", "accountid"},
}  # fmt: skip
"""Keys that tell it as a whole, without underscores and in small letters."""

_KINDS_OF_WORDS = {word: kind for kind, words in _WORDS.items() for word in words}
_KINDS_OF_KEYS = {key: kind for kind, keys in _WHOLE.items() for key in keys}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+")


def kind_of(key: str) -> str | None:
    """What the value under ``key`` reveals, None if nothing is known of it."""
    words = [word.lower() for word in _WORD.findall(key)]
    whole = "".join(words)
    if whole in _KINDS_OF_KEYS:
        return _KINDS_OF_KEYS[whole]
    if "serialnumber" in whole:
        return SERIAL
    return next((_KINDS_OF_WORDS[word] for word in words if word in _KINDS_OF_WORDS), None)


HARMLESS = re.compile(
    r"installer|customer|kiosk|engineer|admin"  # users that every gateway has
    r"|\w+_tesla_internal_default|default_\w+|TEG|teg|powerwall|powerpack|Home"  # names that it comes with, and ours
    r"|255\.\d+\.\d+\.\d+|0\.0\.0\.0|::"  # masks
    r"|TOU_\w+|\W*"  # where our secrets are looked for; nothing at all
)
"""What reveals nothing, whatever key it stands under."""

_DASH = "(?:-|%2D)"
_PART = rf"\d{{7}}{_DASH}\d{{2}}{_DASH}[A-Z]{_DASH}{{2}}"
_DIN = rf"(?i:(?<![0-9])(?P<part>{_PART})(?P<serial>[A-Z0-9]{{4,}}))"
DIN = re.compile(_DIN)
"""Part and serial number in one, perhaps as in an address of the web; the part number may be read."""

METER = re.compile(r"(?P<serial>.*?[A-Z0-9])(?P<suffix>synchrometer[A-Z])")
"""How a 21.x gateway names the meters that are built into it."""

_LONG_SERIAL = (
    r"(?<![A-Za-z0-9])(?=(?:[A-Z]*\d){6})[A-Z]{1,3}\d{3,}[A-Z0-9]{4,}(?:-\d{1,2})?(?![A-Z0-9])"
    # In small letters one that no hexadecimal number has must be among the first: hashes are to be read.
    r"|(?<![A-Za-z0-9])(?=[a-z]{0,2}[g-z])(?=(?:[a-z]*\d){6})[a-z]{1,3}\d{3,}[a-z0-9]{4,}(?:-\d{1,2})?(?![A-Za-z0-9])"
)
_SAID = (
    r"(?i:(?<![a-z_])(?:[a-z_]{0,40}(?:password|passwd|passphrase|passcode|psk|token|secret|credentials?|(?:wifi|wpa|wlan|access|api)_?key|ssid|serial"
    r"|latitude|longitude)|authcookie|userrecord|pw|pwd|pin|phone|street|city|zip|host(?:name)?|(?:site|first|last)_?name)"
    r"\\{0,15}[\"']?\s{0,4}[:=]\s{0,4}|\bbearer\s{1,4}|\bbasic\s{1,4}(?=[a-z0-9+/]{12}))"
)

_VALUE = (
    # In quotes, in quotes of a text within a text, in such that are never closed, or a word.
    r"\"(?:[^\"\\\n]|\\.)*+\"|'[^'\n]*'|(?P<quote>\\{1,15}\")[^\n]*?(?<!\\)(?P=quote)|\\{0,15}[\"'][^\"'\n]+"
    r"|[^\s\"',;&{}\[\]()]+"
)

_MEANS = r"[\"']?[^\S\n]{0,40}(?:[:=]|is\b)"
FREELY = re.compile(
    r"(?i:(?<![a-z])(?P<word>pass(?:word|wd|phrase|code)s?|psk|secrets?|tokens?|credentials?|serial(?:[ _]?numbers?)?"
    r"|(?:wi-?fi|wpa2?|wlan|network|access|api|private)[ _-]?key"
    rf"|(?:pass|pwd?|pin|key|auth|sn)(?={_MEANS}))(?![a-z0-9])"
    rf"(?P<between>(?:{_MEANS})?[^\S\n]{{0,40}})(?P<rest>[^\n]+))"
)
"""In what a person wrote, file or comment: one of these words, and the rest of its line, which may be anything."""

PATTERNS = {
    "said": rf"(?P<key>{_SAID})(?P<quoted>{_VALUE})",
    "url": r"(?<=://)[^\s/?#\"'<>]{1,200}@",
    "din": rf"(?i:(?<![0-9]){_PART}[A-Z0-9]{{4,}})",
    TOKEN: r"(?<![\w.-])eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|(?<![\w+/-])[\w+/-]{80,}={0,2}",
    EMAIL: r"[^\s@\"'<>()\[\]{},;:=]{1,64}@(?:[^\s@\"'<>()\[\]{},;:=.]{1,63}\.){1,8}[^\W\d_]{2,63}",
    "mac": r"(?<![0-9A-Fa-f:-])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:-])",
    "ip": r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\w)"
    r"|(?<![\w:.])(?=[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{2,39}(?:\.\d{1,3}){0,3}(?![\w:])",
    PHONE: r"(?<![\w+.-])\+\d[\d ()/-]{6,18}\d(?!\w|\.\d)|(?<![\w.-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-]|\.\d)",
    "access_point": r"(?<!\w)TEG-[0-9A-Za-z]{3,}(?!\w)",
    SERIAL: _LONG_SERIAL,
}
"""Shapes that reveal something wherever they stand, by kind or by how they are read; the first that fits counts."""

SERIALS = re.compile(rf"{_DIN}|{_LONG_SERIAL}")

LOGIN_IN_ADDRESS = re.compile(r"(?<=://)[^\s/?#\"'<>:@]{0,100}:(?P<password>[^\s/?#\"'<>]{1,100})@")

INSTALLERS = re.compile(r"[Ss](?P<serial>[A-Za-z]{1,3}\d[A-Za-z0-9]{5,})")
"""The installer's password as it is delivered: S and the serial number (the README of the gateway)."""


def is_address(text: str) -> bool:
    """Whether it is an IP address: a time of day such as 12:30:45 only looks like one."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
