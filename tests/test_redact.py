"""Hiding: what reveals somebody never gets out, and what helps to find a fault stays readable."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from effort import soon
from hypothesis import given, settings
from hypothesis import strategies as st
from secrets_in import found

from scheduler.gateway.redact import hidden
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
        (
            {"passcode": "a1", "pass": "b2", "pin": 4711, "wpa_key": "d4", "wpaKey": "e5", "secret": "f6"},
            {"passcode": "(password 1)", "pass": "(password 2)", "pin": "(password 3)", "wpa_key": "(password 4)",
             "wpaKey": "(password 5)", "secret": "(password 6)"},
        ),
        ({"auth": "a1b2", "sn": "c3d4", "serials": ["e5f6"]}, {"auth": "(token 1)", "sn": "(serial 1)", "serials": ["(serial 2)"]}),
        (
            {"credentials": [{"user": "ann", "value": "b2"}], "ok": True},
            {"credentials": [{"user": "(password 1)", "value": "(password 2)"}], "ok": True},
        ),
        ({"address": {"line1": "12 Elm Road", "floor": 3}}, {"address": {"line1": "(address 1)", "floor": "(address 2)"}}),
        ({"serial": {"value": "a1b2", "email": "c@d.example"}}, {"serial": {"value": "(serial 1)", "email": "(e-mail 1)"}}),
        (
            [{"key": "wifi_password", "value": "a b"}, {"id": "SerialNumber", "value": 47}, {"key": "mode", "value": "x"}],
            [{"key": "wifi_password", "value": "(password 1)"}, {"id": "SerialNumber", "value": "(serial 1)"}, {"key": "mode", "value": "x"}],
        ),
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
        ("t123456789 is TG118095000X1Z or tg118095000x1z", "(serial 1) is (serial 2) or (serial 2)"),
        ("1232100-00-e--tg118095000x1z", "1232100-00-e--(serial 1)"),
        ("vin=1232100-00-E%2D%2DTG118095000X1Z&a", "vin=1232100-00-E%2D%2D(serial 1)&a"),
        ("https://ann:b2@house.example/", "https://(password 1)@house.example/"),
        (r"alert {\"psk\":\"two words\",\"on\":true}", r"alert {\"psk\":\"(password 1)\",\"on\":true}"),
        (r"{\\\"psk\\\":\\\"two \\\\\" words\\\"} x", r"{\\\"psk\\\":\\\"(password 1)\\\"} x"),
        (r'alert {"psk":"a \" b"} done', 'alert {"psk":"(password 1)"} done'),
        (r"cut off {\"psk\":\"two words", r"cut off {\"psk\":\"(password 1)"),
        ('cut off {"psk":"two words', 'cut off {"psk":"(password 1)'),
        (
            "passcode=a1 credentials: b2 wifi_key=c3",
            "passcode=(password 1) credentials: (password 2) wifi_key=(password 3)",
        ),
    ],
)
def test_what_speaks_for_itself_is_hidden_in_any_text(text: str, shown: str) -> None:
    """Addresses, tokens and serial numbers have a shape, and need no key."""
    assert hidden(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "21.39.1 7759c368",
        "1.45.2",
        "7759c368f4e96326389d76703a8a2ae27f091c45",
        "b1234567c0 a12345678",
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
    assert hidden(text) == text


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("TeslaPW_00X1Z", "TeslaPW_(password 1)"),
        ("tegra-00x1z.", "tegra-(password 1)."),
        ("pw00X1Z, pw00X1Zb", "pw(password 1), pw00X1Zb"),
        ("00X1Z_guest", "(password 1)_guest"),
    ],
)
def test_the_end_of_a_serial_number_is_hidden_at_the_end_of_a_word(text: str, shown: str) -> None:
    """Names of networks are made of it; in the middle of a word it is chance."""
    assert hidden({"din": DIN, "x": text})["x"] == shown


def test_digits_at_the_end_of_a_number_are_chance() -> None:
    """The last five of a serial number may be digits: a reading that ends in the same ones stays readable."""
    document = {"serial": "T123456789", "w": [156789, 1.56789, 0.156789], "s": "x56789 156789 1.56789"}

    assert hidden(document) == {
        "serial": "(serial 1)",
        "w": [156789, 1.56789, 0.156789],
        "s": "x(password 1) 156789 1.56789",
    }


@pytest.mark.parametrize("password", ["ST123456789", "st123456789"])
def test_the_installers_password_gives_the_serial_number_away(password: str) -> None:
    """Who knows it knows the serial number, and so the customer's password: all three are hidden from the start."""
    known = [("password", password)]

    assert hidden("56789, then x_56789", known) == "(password 1), then x_(password 1)"
    assert hidden("ST123456789, then T123456789, then 56789", known) == (
        "(password 1), then (serial 1), then (password 2)"
    )


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("# password: correct horse battery staple", "# password: (password 1)"),
        ("# the old passphrase was: correct horse", "# the old passphrase (password 1)"),
        ("# passcode 99887 of the app", "# passcode (password 1)"),
        ("# wifi pw: hunter two # mine", "# wifi pw: (password 1)"),
        ("# WiFi key is abc def", "# WiFi key is (password 1)"),
        ("  password: 'two words' # mine", "  password: (password 1)"),
        ('  "pin" : 12 34', '  "pin" : (password 1)'),
        ("# serial number T1 2 3", "# serial number (serial 1)"),
        ("  # password: TOU_GATEWAY__PASSWORD", "  # password: TOU_GATEWAY__PASSWORD"),
        ("  - {name: Pass the peak, at: 12}", "  - {name: Pass the peak, at: 12}"),
        ("# keys are in the drawer, the compass too", "# keys are in the drawer, the compass too"),
    ],
)
def test_what_a_person_wrote_after_a_telling_word_is_hidden_to_the_end_of_the_line(
    line: str, shown: str
) -> None:
    """In a file anything may follow, comments included; the lines around it stay."""
    assert hidden({"text": f"a: 1\n{line}\nb: 2\n"}) == {"text": f"a: 1\n{shown}\nb: 2\n"}


def test_what_a_person_wrote_in_a_file_is_hidden_elsewhere_too() -> None:
    """A password of two words in a comment may stand in an answer, and so may one in an address."""
    document = {
        "text": "a: 1\n# password: correct horse\n",
        "x": "a Correct Horse",
        "y": "x://a:zebra9@b",
        "z": "is zebra9",
    }

    shown = hidden(document)

    assert shown["x"] == "a (password 1)"
    assert shown["z"].startswith("is (password ")


def test_thousands_of_serial_numbers_are_hidden_in_a_moment() -> None:
    """The search for what is known costs the same however much that is: 2,000 gateways take less than a second."""
    serials = [f"TG1{number:06d}00X{number % 97}" for number in range(2000)]
    document = {"all": [{"name": f"House {serial}", "serial": serial} for serial in serials]}

    with soon(1.0):
        shown = json.dumps(hidden(document))

    assert not any(serial in shown for serial in serials)
    assert shown.count("(serial 2000)") == 2


def test_half_a_character_in_what_is_known_is_no_hindrance() -> None:
    """A lone surrogate in a record of ours is hidden like anything else under its key."""
    assert hidden({"password": "half \ud800", "x": "a half \ud800"}) == {
        "password": "(password 1)",
        "x": "a (password 1)",
    }


def test_what_is_known_is_hidden_everywhere() -> None:
    """Our own password has no shape; a short one counts as a word of its own only."""
    document = {"a": "is Swordfish!", "b": ["swordfish9", 7], "c": "ab1 ab12 xab1"}

    assert hidden(document, [("password", "Swordfish"), ("password", "ab1")]) == {
        "a": "is (password 1)!",
        "b": ["(password 1)9", 7],
        "c": "(password 2) ab12 xab1",
    }


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("PackageSerialNumber", "serial"),
        ("ecu_package_serial_number", "serial"),
        ("gateway_din", "serial"),
        ("wifiKey", "password"),
        ("user_pass", "password"),
        ("bypass", None),
        ("PINV_state", None),
        ("auth_type", None),
        ("authorization", "token"),
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
    assert len(hidden(text)) > 0


LETTERS = "abcdefghkmnprstuvwxyzABCDEFGHKMNPRSTUVWXYZ"
SECRETS = st.builds(
    "{}{}{}".format,
    st.text(LETTERS, min_size=3, max_size=6),
    st.integers(100, 99999),
    st.text(LETTERS + "äß€ /+%\"'\\&=0123456789", min_size=4, max_size=12),
)
SERIALS = st.builds("T{}{}".format, st.sampled_from(["", "G"]), st.integers(10**9, 10**13))
KEYS = {
    "serial": ["PackageSerialNumber", "sn", "serials"],
    "password": ["wifi_key", "wpaKey", "passcode", "pass", "pin", "credentials", "secret"],
    "token": ["auth"],
    "e-mail": ["email"],
    "name": ["lastname"],
    "network": ["ssid"],
}
TOLD: list[Callable[[str, str], Any]] = [
    lambda key, text: {key: text},
    lambda key, text: {key: [{"current": text}]},
    lambda key, text: {key: {"old": {"deep": text}}},
    lambda key, text: {"name": key, "value": text},
    lambda key, text: {"key": key, "value": [text]},
    lambda key, text: {"id": key, "value": {"is": text}},
    lambda key, text: {"decoded": json.dumps({"again": json.dumps({key: text})})},
]
"""How an answer may tell a secret under its key: as it is, nested, as a pair, as JSON within JSON."""
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

    shown = hidden(f"it was {SPELLINGS[spelling](secret)} there", [("password", secret)])

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
    told = [
        draw(st.sampled_from(TOLD))(draw(st.sampled_from(KEYS[kind])), text)
        for kind, text in planted
        if (kind, text) not in known
    ]

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


SENTENCES: list[Callable[[str], str]] = [
    lambda text: f"alert {json.dumps({'wifi_password': text})} done",
    lambda text: "alert " + json.dumps(json.dumps({"psk": text}))[1:-1] + " done",
    lambda text: "alert " + json.dumps(json.dumps(json.dumps({"pin": 1, "secret": text})))[1:-1],
    lambda text: f"see https://ann:{quote(text, safe='')}@house.example/x",
    lambda text: f"a: 1\n# wifi pw: {text}\nb: 2\n",
    lambda text: f"a: 1\n  password: {json.dumps(text)}  # mine\nb: 2\n",
    lambda text: f"a: 1\n# the passphrase {text}",
]
"""How a sentence or a file may hold a secret that nothing else tells of."""


@given(st.sampled_from(SENTENCES), SECRETS.map(str.strip), st.text("xyz -.", max_size=9))
@settings(max_examples=150, deadline=None)
def test_no_secret_in_a_sentence_survives(sentence: Callable[[str], str], secret: str, around: str) -> None:
    """After a telling word in a text within a text, in an address, or in a file: each is hidden without being known."""
    shown = hidden({"message": f"{around} {sentence(secret)}"})

    assert found([secret], json.dumps(shown, ensure_ascii=False)) == []
    assert found([secret], json.dumps(shown)) == []


SERIAL_SHAPES: list[Callable[[str], str]] = [
    str,
    str.lower,
    lambda serial: f"1232100-00-E--{serial}",
    lambda serial: f"1232100-00-e--{serial.lower()}",
    lambda serial: f"vin=1232100-00-E%2D%2D{serial}&x",
    lambda serial: quote(f"1232100-00-E--{serial}").replace("-", "%2d"),
    lambda serial: f"S{serial}",
    lambda serial: f"s{serial.lower()}-1",
]


@given(SERIALS, st.sampled_from(SERIAL_SHAPES), st.sampled_from(["TeslaPW_", "teg-", "pw", ""]))
@settings(max_examples=150, deadline=None)
def test_no_serial_number_and_no_end_of_one_survives(
    serial: str, spelled: Callable[[str], str], before: str
) -> None:
    """In small letters, in a part number, in an address or in a password: it is seen, and its end with it."""
    shown = hidden({"at": spelled(serial), "network": f"{before}{serial[-5:]}", "lower": serial.lower()})

    assert serial.lower() not in json.dumps(shown).lower()
    assert serial[-5:] not in json.dumps(shown)


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
