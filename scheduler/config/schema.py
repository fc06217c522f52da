"""The shape of the file: which keys there are, what each may hold, and the JSON Schema made of it.

Only what one place of the file alone can tell. What needs two is in `shapes` and `names`; single values are in
`spelling`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from scheduler.config.spelling import (
    AtWord,
    DatesList,
    DateWord,
    DaysList,
    DriftWord,
    HostWord,
    HoursList,
    Kilowatts,
    Look,
    ModeWord,
    MonthDayWord,
    Names,
    Note,
    Percent,
    Price,
    ServerName,
    Shift,
    Text,
    Wait,
)
from scheduler.config.words import LARGEST_PORT
from scheduler.model.firmware import SIMULATED

MOST_SEASONS = 50
MOST_PERIODS = 100
"""More than any tariff has, and few enough that a hostile file is judged in a second."""


class Section(BaseModel):
    """A mapping of the file: no other keys than these, no conversion behind the owner's back."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Site(Section):
    """Where the battery stands."""

    name: Text = Field("Home", description="What you call the place.")
    timezone: Text = Field(
        description="The time zone of the tariff, like America/Los_Angeles; wins over the machine's."
    )


class Gateway(Section):
    """Which gateway, how to reach it and as whom."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"type": {"const": "simulated"}}},
            "then": {"properties": {"firmware": {"enum": list(SIMULATED)}}},
            "else": {"required": ["host", "username"], "not": {"required": ["firmware"]}},
        }
    )

    type: Literal["local", "simulated"] = Field(
        description="local: the gateway in your network; simulated: a dry run, the other keys may stay."
    )
    host: HostWord | None = Field(None, description="A name or an address; may end with :port.")
    port: Annotated[int, Field(ge=1, le=LARGEST_PORT)] | None = Field(None, description="443 unless given.")
    server_name: ServerName = Field(
        "powerwall",
        description="The name in its certificate: teg, powerwall or powerpack; '' to ask for no name.",
    )
    certificate: Text = Field(
        "powerwall.pem", description="Written by `tou-scheduler trust`; relative to this file."
    )
    username: Literal["installer", "customer"] | None = Field(
        None, description="As whom to log in; a customer may read and not switch."
    )
    email: Text | None = Field(None, description="The gateway asks for one at each login; any will do.")
    password: SecretStr | None = None
    force_sm_off: bool = Field(
        default=False,
        description="Log in even if that stops a battery in use (README, POST /api/login/Basic).",
    )
    max_pv_export_power_kW: Kilowatts | None = Field(  # noqa: N815 - the gateway's own word, unit and all
        None, description="The most that solar may feed into the grid, in kW; said with every write if given."
    )
    reserve_gap: Literal["81-99", "none"] = Field(
        "81-99", description="Reserves that the gateway does not keep; none if yours keeps them all."
    )
    firmware: Text | None = Field(None, description="Which firmware is simulated; only for type simulated.")


class Holidays(Section):
    """Which public holidays the tariff knows, and when one is kept that falls on a weekend."""

    country: Text = Field(description="Two letters, like US.")
    subdivision: Text | None = Field(None, description="State or province, like CA.")
    names: Names | None = Field(None, description="Which of them count; all that are known unless given.")
    saturday: Literal["none", "friday", "monday"] = Field(
        "none", description="Where one on a Saturday moves to."
    )
    sunday: Literal["none", "monday"] = Field("none", description="Where one on a Sunday moves to.")


class Season(Section):
    """Days of every year, both ends included; may wrap the year's end."""

    first: MonthDayWord = Field(alias="from", description="The first day, like jun 1.")
    last: MonthDayWord = Field(alias="to", description="The last day, like sep 30.")


class Period(Section):
    """A stretch of the tariff with its prices. Several may share a name."""

    name: Text = Field(description="What rules call it.")
    hours: HoursList | None = Field(None, description="HH:MM-HH:MM, one or a list; may cross midnight.")
    days: DaysList | None = Field(None, description="weekdays, weekends, holidays or names; one or a list.")
    season: Names | None = Field(None, description="Names from seasons; one or a list.")
    import_price: Price | None = Field(None, alias="import", description="What a kWh from the grid costs.")
    export_price: Price | None = Field(None, alias="export", description="What a kWh to the grid earns.")


class Tariff(Section):
    """What electricity costs when. The first period that matches wins; together they cover every minute."""

    name: Text | None = Field(None, description="The utility's name for it.")
    source: Text | None = Field(None, description="Where the numbers come from.")
    effective: DateWord | None = Field(None, description="Since when they hold, like 2018-04-01.")
    currency: Text | None = Field(None, description="Of the prices, like USD.")
    holidays: Holidays | None = None
    seasons: dict[Text, Season] | None = Field(
        None, max_length=MOST_SEASONS, description="Names for stretches of the year."
    )
    periods: list[Period] = Field(min_length=1, max_length=MOST_PERIODS)


class Ask(Section):
    """A mode, a reserve, or both; what is left out is left alone."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    mode: ModeWord | None = Field(None, description="The operation mode.")
    reserve: Percent | None = Field(None, description="Kept for an outage, in percent as the app shows it.")


class If(Section):
    """Live conditions; all that are given must hold."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    charge_below: Percent | None = Field(None, description="State of charge, percent as the app shows it.")
    charge_above: Percent | None = Field(None, description="State of charge, percent as the app shows it.")
    grid: Literal["connected", "islanded"] | None = Field(
        None, description="Whether the house hangs on the grid."
    )


class Rule(Section):
    """A window (selectors and `set`) or a moment (`at` and `do`). First match wins, field by field."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "required": ["set"],
                    "not": {"anyOf": [{"required": [k]} for k in ("do", "at", "install", "done_by")]},
                },
                {
                    "required": ["do", "at"],
                    "not": {"anyOf": [{"required": [k]} for k in ("set", "early", "late", "on_drift")]},
                },
            ],
            "if": {"properties": {"do": {"const": "check_path"}}, "required": ["do"]},
            "then": {"not": {"required": ["install"]}},
        }
    )

    name: Text = Field(description="What plan and history call it.")
    why: Note = Field("", description="For whoever reads this later.")
    during: Names | None = Field(None, description="Names of tariff periods; one or a list.")
    hours: HoursList | None = Field(None, description="HH:MM-HH:MM, one or a list; may cross midnight.")
    days: DaysList | None = Field(None, description="weekdays, weekends, holidays or names; one or a list.")
    season: Names | None = Field(None, description="Names from tariff.seasons; one or a list.")
    dates: DatesList | None = Field(
        None, description="2026-07-04, dec 24 to jan 2, or {from:, to:}; one or a list."
    )
    early: Shift | None = Field(None, description="Begin so much before the window, like 5m.")
    late: Shift | None = Field(None, description="End so much after the window, like 5m.")
    condition: If | None = Field(None, alias="if")
    setpoint: Ask | None = Field(None, alias="set")
    on_drift: DriftWord | None = Field(
        None, description="What to do when somebody changes what this rule set."
    )
    at: AtWord | None = Field(None, description="07:15, or 45m before on_peak starts.")
    do: Literal["check_firmware", "check_path"] | None = Field(
        None,
        description="What to do at that moment. check_firmware: have the gateway look for an update. check_path: "
        "check before the dear hours that the gateway is reachable, the login good and the way to a switch open; it "
        "writes the very same values and reads them back.",
    )
    install: bool = Field(
        default=False, description="Whether a firmware found may be installed; only with check_firmware."
    )
    done_by: AtWord | None = Field(None, description="When it must be over; none begins that may not be.")


class File(Section):
    """The whole file."""

    version: Annotated[Literal[1], BeforeValidator(lambda v: v if v is not True else "true")] = Field(
        description="Of this language; it is 1."
    )
    site: Site
    gateway: Gateway
    tariff: Tariff
    rules: list[Rule]
    default: Ask = Field(description="What holds where no rule speaks.")
    on_drift: DriftWord = Field("yield", description="What to do when somebody changes what we set.")
    verify_every: Look | None = Field(
        None, description="How often to look at the gateway, 30s to 1h; 5m unless given."
    )
    trust_clock_after: Wait | None = Field(
        None,
        description="For a machine whose clock nothing synchronises: so long after its start, or after its clock was set, "
        "switch by it all the same; at most 24h. Without it nothing is switched until the clock is synchronised, or "
        "agrees with the gateway's own.",
    )


class _ForEditors(GenerateJsonSchema):
    """A key may be left out, but not left empty: no null anywhere. Keys are their own titles."""

    def field_title_should_be_set(self, _schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default") is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the file. It has no password: one in the file is an error."""
    schema = File.model_json_schema(schema_generator=_ForEditors)
    del schema["$defs"]["Gateway"]["properties"]["password"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "tou-scheduler configuration",
    }
