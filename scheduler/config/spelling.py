"""The types of single values in the file: text on one line, percent, hours, one or a list of them.

They tie the languages of `words` to pydantic and to the JSON Schema. Which keys hold them is in `schema`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, PlainValidator, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from scheduler.config import words
from scheduler.plan.calendar import DateSpan, Hours, YearSpan
from scheduler.plan.rules import ClockTime, Relative

SHORTEST_LOOK = timedelta(seconds=30)
LONGEST_LOOK = timedelta(hours=1)
LONGEST_WAIT = timedelta(hours=24)
LONGEST_SHIFT = timedelta(hours=12)

DriftWord = Literal["yield", "enforce", "notify"]
ModeWord = Literal["self_consumption", "backup", "autonomous"]


def _sentence(message: str, hint: str | None = None) -> PydanticCustomError:
    return PydanticCustomError("sentence", "{message}", {"message": message, "hint": hint})


def _meaning(parse: Callable[[str], Any], example: str) -> PlainValidator:
    """A validator that gives what the text means."""

    def meaning(value: object) -> Any:
        if not isinstance(value, str):
            raise PydanticCustomError("text_expected", "{example}", {"example": example})
        try:
            return parse(value)
        except words.WordError as error:
            raise _sentence(error.message, error.hint) from None

    return PlainValidator(meaning)


def _between(shortest: timedelta, longest: timedelta, range_text: str) -> Callable[[str], timedelta]:
    def parse(text: str) -> timedelta:
        value = words.duration(text)
        if not shortest <= value <= longest:
            raise words.WordError(f"{text} is out of range", f"use {range_text}")
        return value

    return parse


def _dates(value: object) -> YearSpan | DateSpan:
    ends = value
    if isinstance(value, dict):
        if set(value) != {"from", "to"} or not all(isinstance(end, str) for end in value.values()):
            raise _sentence("dates need 'from' and 'to'", "write it like {from: dec 24, to: jan 2}")
        ends = f"{value['from']} to {value['to']}"
    if not isinstance(ends, str):
        raise PydanticCustomError("text_expected", "{example}", {"example": "2026-07-04"})
    try:
        return words.dates(ends)
    except words.WordError as error:
        raise _sentence(error.message, error.hint) from None


def _pattern(pattern: str, *examples: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^(?:{pattern})$", "examples": list(examples)}


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


class _OneOrMore:
    """Says in the JSON Schema that a single entry may stand without its list."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        many = handler(schema)
        return {"anyOf": [many["items"], many]}


# JSON Schema's patterns cannot be told to forget about case.
_ANY_CASE_DAY = "^(?:" + "|".join("".join(f"[{c}{c.upper()}]" for c in day) for day in words.DAYS) + ")$"

# Text is printed on terminals, which control characters could command.
_ON_ONE_LINE = r"^[^\s\x00-\x1f\x7f-\x9f](?:[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
_ON_SEVERAL_LINES = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*$"

Text = Annotated[str, Field(min_length=1, max_length=200, pattern=_ON_ONE_LINE)]
Note = Annotated[str, Field(max_length=2000, pattern=_ON_SEVERAL_LINES)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Kilowatts = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Price = Annotated[float, Field(allow_inf_nan=False)]
HoursWord = Annotated[
    Hours,
    _meaning(words.hours, "14:00-20:00"),
    WithJsonSchema(_pattern(words.HOURS, "14:00-20:00", "22:00-08:00")),
]
DayWord = Annotated[
    str,
    _meaning(words.day, "weekdays"),
    WithJsonSchema({"anyOf": [{"enum": list(words.DAYS)}, {"type": "string", "pattern": _ANY_CASE_DAY}]}),
]
MonthDayWord = Annotated[
    tuple[int, int], _meaning(words.month_day, "jun 1"), WithJsonSchema(_pattern(words.MONTH_DAY, "jun 1"))
]
DateWord = Annotated[
    date, _meaning(words.calendar_date, "2018-04-01"), WithJsonSchema({"type": "string", "format": "date"})
]
DatesWord = Annotated[
    YearSpan | DateSpan,
    PlainValidator(_dates),
    WithJsonSchema(
        {
            "anyOf": [
                _pattern(words.DATES, "2026-07-04", "dec 24 to jan 2"),
                {
                    "type": "object",
                    "properties": {"from": {"type": "string"}, "to": {"type": "string"}},
                    "required": ["from", "to"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
Shift = Annotated[
    timedelta,
    _meaning(_between(timedelta(0), LONGEST_SHIFT, "at most 12h"), "5m"),
    WithJsonSchema(_pattern(words.DURATION, "5m")),
]
Look = Annotated[
    timedelta,
    _meaning(_between(SHORTEST_LOOK, LONGEST_LOOK, "30s to 1h"), "5m"),
    WithJsonSchema(_pattern(words.DURATION, "5m")),
]
Wait = Annotated[
    timedelta,
    _meaning(_between(timedelta(0), LONGEST_WAIT, "at most 24h"), "10m"),
    WithJsonSchema(_pattern(words.DURATION, "10m")),
]
AtWord = Annotated[
    ClockTime | Relative,
    _meaning(words.at, "07:15"),
    WithJsonSchema(_pattern(words.AT, "07:15", "45m before on_peak starts")),
]
HostWord = Annotated[
    tuple[str, int | None],
    _meaning(words.host, "powerwall"),
    WithJsonSchema(_pattern(words.HOST, "powerwall")),
]
ServerName = Annotated[
    str,
    _meaning(words.server_name, "powerwall"),
    WithJsonSchema(_pattern(words.SERVER_NAME, "powerwall", "")),
]
Item = TypeVar("Item")
Listed = Annotated[list[Item], Field(min_length=1, max_length=100), BeforeValidator(_listed), _OneOrMore()]
Names = Listed[Text]
HoursList = Listed[HoursWord]
DaysList = Listed[DayWord]
DatesList = Listed[DatesWord]
