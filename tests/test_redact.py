"""Hiding: what reveals somebody never gets out, and what helps to find a fault stays readable."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secrets_in import found

from scheduler.gateway.redact import hidden, hidden_text
from scheduler.gateway.revealing import kind_of

GATEWAY = "TG118095000X1Z"
DIN = f"1232100-00-E--{GATEWAY}"


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        ({"din": DIN}, {"din": "1232100-00-E--(serial 1)"}),
        ({"vin": DIN, "leader": DIN}, {"vin": "1232100-00-E--(serial 1)", "leader": "1232100-00-E--(serial 1)"}),
        (
            [{"PackagePartNumber": "3012170-05-B", "PackageSerialNumber": "T1234567"}, {"serial": "OBB3172012345"}],
            [{"PackagePartNumber": "3012170-05-B", "PackageSerialNumber": "(serial 1)"}, {"serial": "(serial 2)"}],
        ),
        ({"serial": "VAH4810AB0231synchrometerX"}, {"serial": "(serial 1)synchrometerX"}),
        ({"short_id": "49123", "connected": True}, {"short_id": "(serial 1)", "connected": True}),
        ({"imei": 353270040000000, "iccid": "8901"}, {"imei": "(serial 1)", "iccid": "(serial 2)"}),
        ({"email": "a@example.com", "phone": "8885551212"}, {"email": "(e-mail 1)", "phone": "(phone 1)"}),
        ({"phone": 5550100, "email": ""}, {"phone": "(phone 1)", "email": ""}),
        ({"firstname": "Ann", "lastname": "Lee"}, {"firstname": "(name 1)", "lastname": "(name 2)"}),
        (
            {"city": "Pasadena", "zip": "91101", "state": "California", "country": "US"},
            {"city": "(place 1)", "zip": "(place 2)", "state": "California", "country": "US"},
        ),
        ({"latitude": 34.15, "longitude": -118.1}, {"latitude": "(place 1)", "longitude": "(place 2)"}),
        (
            {"network_name": "Lee at home", "hw_address": "aa:bb:cc:00:11:22", "active": True},
            {"network_name": "(network 1)", "hw_address": "(address 1)", "active": True},
        ),
        ({"network_name": "gsm_tesla_internal_default"}, {"network_name": "gsm_tesla_internal_default"}),
        (
            {"ip_networks": [{"ip": "192.0.2.7", "mask": "255.255.255.0"}], "gateway": "192.0.2.7"},
            {"ip_networks": [{"ip": "(address 1)", "mask": "255.255.255.0"}], "gateway": "(address 1)"},
        ),
        ({"security_type": "WPA2_Personal", "psk": "x"}, {"security_type": "WPA2_Personal", "psk": "(password 1)"}),
        ({"password": {"old": "a", "new": "b"}}, {"password": {"old": "(password 1)", "new": "(password 2)"}}),
        ({"IP": "Neurio-12345"}, {"IP": "(address 1)"}),
        ({"extra_ips": ["fe80::1%eth0", "2001:db8::7"]}, {"extra_ips": ["(address 1)%eth0", "(address 2)"]}),
        ({"username": "installer"}, {"username": "installer"}),
        ({"customer_id": "592ff91a"}, {"customer_id": "(account 1)"}),
        ({"serial": "unknown", "status": "unknown"}, {"serial": "(serial 1)", "status": "unknown"}),
    ],
)  # fmt: skip
def test_what_stands_under_a_telling_key_is_hidden(document: Any, shown: Any) -> None:
    """The key tells the kind, the same value has the same number, and the rest is as it was."""
    assert hidden(document) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ask me+pw@mail.example.org.", "ask (e-mail 1)."),
        ("at 10.0.0.1:443, 10.0.0.2 and 10.0.0.1", "at (address 1):443, (address 2) and (address 1)"),
        ("fe80::1 is aa-bb-cc-00-11-22", "(address 1) is (address 2)"),
        ("AuthCookie=abc; UserRecord=xyz; path=/", "AuthCookie=(token 1); UserRecord=(token 2); path=/"),
        ("Authorization: Bearer abcdef==", "Authorization: Bearer (token 1)"),
        ('password: "two words" # mine', 'password: "(password 1)" # mine'),
        ("host: my.house.example:443", "host: (address 1)"),
        ("# password: TOU_GATEWAY__PASSWORD", "# password: TOU_GATEWAY__PASSWORD"),
        ("call +1 626 555 0100 or 626-555-0100", "call (phone 1) or (phone 2)"),
        ("joined TEG-4AB", "joined (network 1)"),
        (f"{DIN} said no", "1232100-00-E--(serial 1) said no"),
        ("T123456789-1 of T123456789", "(serial 1) of (serial 2)"),
        ("A" * 86 + "==", "(token 1)"),
        ("eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "(token 1)"),
    ],
)
def test_what_speaks_for_itself_is_hidden_in_any_text(text: str, shown: str) -> None:
    """Addresses, tokens and serial numbers have a shape, and need no key."""
    assert hidden_text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "21.39.1 7759c368",
        "1.45.2",
        "7759c368f4e96326389d76703a8a2ae27f091c45",
        "14f7c1769ec307bba2ea62355a09d01c8e58988c+",
        "60Hz_240V_s_UL1741SA:2019_California",
        "50Hz_230V_1_ASNZS4777.2:2015_AU",
        "1232100-00-E",
        "2021-12-10 16:38:39 +0800",
        "2021-12-13T00:24:46.192599545-07:00",
        "0001-01-01T00:00:00Z",
        "55h46m11.021029341s",
        "12:30:45",
        "SE5000 (240V) w/ -ER-US or A-US",
        "STP24000TL-US-10",
        "IQ7PLUS-72-x-US (240V)",
        "America/Los_Angeles",
        "PINV_a006_vfCheckUnderFrequency",
        "IEEE1547:2003",
        "255.255.255.0",
        "GET /api/system/update/status (403)",
        "ab" * 32,
    ],
)
def test_what_helps_to_find_a_fault_stays_readable(text: str) -> None:
    """Versions, hashes, part numbers, grid codes, models and times look like secrets to careless eyes."""
    assert hidden_text(text) == text


def test_dictionary_keys_are_searched_and_stay_apart() -> None:
    """`meters/readings` has the serial numbers of the meters for keys."""
    readings = {
        "VAH4810AB0231synchrometerX": 1,
        "VAH4810AB0231synchrometerY": 2,
        "a@b.example": 3,
        "(e-mail 1)": True,
    }

    assert hidden(readings) == {
        "(serial 1)synchrometerX": 1,
        "(serial 1)synchrometerY": 2,
        "(e-mail 1)": 3,
        "(e-mail 1) (2)": True,
    }


def test_json_within_a_text_is_searched() -> None:
    """A decoded alert is JSON in a text, and tells name and value apart."""
    alert = json.dumps([{"name": "ECU_packageSerialNumber", "value": "4711x"}, {"name": "f", "value": 57.2}])

    shown = hidden({"decoded_alert": alert, "alert_name": "PINV_a006"})

    assert json.loads(shown["decoded_alert"]) == [
        {"name": "ECU_packageSerialNumber", "value": "(serial 1)"},
        {"name": "f", "value": 57.2},
    ]


def test_a_serial_number_takes_the_default_passwords_with_it() -> None:
    """The installer's is S and the serial number, the customer's its last five characters: as a word, not by chance."""
    document = {
        "vin": "1232100-00-E--T123456789",
        "note": "ST123456789, 56789, v56789b, 1.567891",
        "w": 56789,
    }

    shown = hidden(document)

    assert shown["vin"] == "1232100-00-E--(serial 1)"
    assert shown["note"] == "(password 1), (password 2), v56789b, 1.567891"
    assert shown["w"] == "(password 2)"
    assert hidden({"VAH4810AB0231synchrometerX": "B0231"}) == {"(serial 1)synchrometerX": "(password 1)"}


def test_what_is_known_is_hidden_everywhere() -> None:
    """Our own password has no shape; a short one counts as a word of its own only."""
    document = {"a": "is Swordfish!", "b": ["swordfish9", 7], "c": "ab1 ab12"}

    assert hidden(document, [("password", "Swordfish"), ("password", "ab1")]) == {
        "a": "is (password 1)!",
        "b": ["(password 1)9", 7],
        "c": "(password 2) ab12",
    }


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("PackageSerialNumber", "serial"),
        ("ecu_package_serial_number", "serial"),
        ("gateway_din", "serial"),
        ("wifiKey", "password"),
        ("ipAddress", "address"),
        ("reading", None),
        ("emailed_registration", None),
        ("state", None),
        ("timezone", None),
        ("PackagePartNumber", None),
        ("instant_power", None),
    ],
)
def test_keys_are_read_by_their_words(key: str, kind: str | None) -> None:
    """Underscores and capitals divide words; a word within another one counts for nothing."""
    assert kind_of(key) == kind


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "eyJ" * 60_000, "__" * 100_000, "1." * 100_000, "[" * 100_000, "a:" * 90_000]
)
def test_long_texts_are_searched_once(text: str) -> None:
    """No text makes the search try everything again from every place: 200 kB of it are read in a moment."""
    assert len(hidden_text(text)) > 0


LETTERS = "abcdefghkmnprstuvwxyzABCDEFGHKMNPRSTUVWXYZ"
SECRETS = st.builds(
    "{}{}{}".format,
    st.text(LETTERS, min_size=3, max_size=6),
    st.integers(100, 99999),
    st.text(LETTERS + "äß€ /+%\"'\\&=0123456789", min_size=4, max_size=12),
)
SERIALS = st.builds("T{}{}".format, st.sampled_from(["", "G"]), st.integers(10**9, 10**13))
KEYS = {
    "serial": "PackageSerialNumber",
    "password": "wifi_key",
    "e-mail": "email",
    "name": "lastname",
    "network": "ssid",
}
SPELLINGS = [
    str,
    lambda text: quote(text, safe=""),
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: base64.urlsafe_b64encode(b"xy" + text.encode() + b"z").decode(),
    json.dumps,
    repr,
    lambda text: text.encode().hex(),
]


@pytest.mark.parametrize("spelling", range(len(SPELLINGS)))
def test_what_is_known_is_hidden_in_every_spelling(spelling: int) -> None:
    """URL, base64 in both alphabets, JSON, repr and hexadecimal: each is one step from the secret itself."""
    secret = "two wörds+1/'\"~~~???x"

    shown = hidden_text(f"it was {SPELLINGS[spelling](secret)} there", [("password", secret)])

    assert "(password 1)" in shown
    assert found([secret], shown) == []


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=8)


@st.composite
def documents(draw: st.DrawFn) -> tuple[Any, list[tuple[str, str]], list[str]]:
    """A document, what is known beforehand, and the secrets planted in it: under their keys, and everywhere else."""
    planted = draw(
        st.lists(st.tuples(st.sampled_from(sorted(KEYS)), SECRETS | SERIALS), min_size=1, max_size=3)
    )
    planted = [(kind, text.strip()) for kind, text in planted]
    known = [pair for pair in planted if draw(st.booleans())]
    told = [{KEYS[kind]: text} for kind, text in planted if (kind, text) not in known]

    def hide(place: tuple[str, int, str, str]) -> str:
        before, which, spelling, after = place
        return before + SPELLINGS[int(spelling)](planted[which % len(planted)][1]) + after

    places = st.tuples(
        st.text(max_size=6), st.integers(0, 2), st.sampled_from("0123456"), st.text(max_size=6)
    ).map(hide)
    tree = st.recursive(
        PLAIN | places | places.map(lambda text: json.dumps({"decoded": text})),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(places | st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=8,
    )
    return {"answers": draw(tree), "told": told}, known, [text for _, text in planted]


@given(documents())
@settings(max_examples=150, deadline=None)
def test_no_planted_secret_survives(made: tuple[Any, list[tuple[str, str]], list[str]]) -> None:
    """Whatever is known or was told under its key is in no spelling anywhere in the document any more."""
    document, known, secrets = made

    shown = hidden(document, known)

    assert found(secrets, json.dumps(shown, ensure_ascii=False)) == []
    assert found(secrets, json.dumps(shown)) == []


@given(
    st.recursive(
        PLAIN | st.floats(allow_nan=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
@settings(max_examples=100, deadline=None)
def test_any_document_keeps_its_shape(document: Any) -> None:
    """No text, key or nesting ends in a traceback, and nothing but texts and numbers is replaced."""
    assert shape(hidden(document)) == shape(document)


def shape(value: Any) -> Any:
    """A JSON value with its leaves left out."""
    if isinstance(value, dict):
        return [shape(inner) for inner in value.values()]
    return [shape(inner) for inner in value] if isinstance(value, list) else value is None
