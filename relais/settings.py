"""Every setting of the program, read from the environment, from `.env` and from secret files."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    create_model,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

PREFIX: Final = "RELAIS_"
SECRETS_DIRECTORY: Final = "RELAIS_SECRETS_DIR"

_FILE: Final = ".env"
_IN_FILE: Final = re.compile(r"^\s*(?:export\s+)?(\w+)\s*=", re.MULTILINE)
_USUAL_SECRETS: Final = "/run/secrets"
_NO_SECRETS: Final = f"{SECRETS_DIRECTORY}: there is no such folder"


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _seconds(value: Any) -> Any:
    """A bare number in the environment is a number of seconds."""
    return float(value) if isinstance(value, str) and value.replace(".", "", 1).isdigit() else value


_Model = TypeVar("_Model", bound=BaseModel)

Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Duration = Annotated[timedelta, BeforeValidator(_seconds), Field(gt=timedelta(0))]


class SettingsError(Exception):
    """Settings that cannot be used. ``faults`` has one line each, naming the variable; never a value."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


class Settings(BaseModel):
    """The engine's own settings; a connector's stand in its own folder."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    ledger_url: SecretStr = Field(
        default=SecretStr("sqlite:///.relais/ledger.db"),
        description="Where the ledger lives: `sqlite:///<file>` (embedded; migrated at start) or `postgresql://...`.",
    )
    broker_url: SecretStr | None = Field(
        default=None,
        description="The NATS server or cluster, `nats://...`, several by commas; without one a server is started as "
        "a child of this process.",
    )
    broker_store: Path = Field(
        default=Path(".relais/nats"), description="Where the embedded NATS server keeps its streams."
    )
    nats_server_bin: Path | None = Field(
        default=None, description="Another `nats-server` for the embedded broker than the one that was installed."
    )
    http_host: str = Field(default="127.0.0.1", description="The address to listen on.")
    http_port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        description="The port of webhooks, `/live`, `/ready` and `/metrics`; 0 takes a free one.",
    )
    sources: Names = Field(default=("fixmystreet",), description="The connectors that events come from, by commas.")
    sinks: Names = Field(default=("crm_cmt",), description="The connectors that cases go to, by commas.")
    rules: Path | None = Field(
        default=None, description="A folder of routing rules to use instead of those that came with the program."
    )
    digest_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="The key of the content digests; without one the ledger makes its own at its first start.",
    )
    register_number_authorisation: str | None = Field(
        default=None,
        min_length=3,
        description="The authorisation under which national register numbers may be kept; without one they are masked.",
    )
    intake_capacity: int = Field(
        default=2048, ge=1, le=100_000, description="How many arrivals may wait for a commit before senders get 503."
    )
    max_lanes: int = Field(
        default=256, ge=1, le=10_000, description="How many cases one delivery worker holds at a time."
    )
    lease: Duration = Field(
        default=timedelta(seconds=30), description="How long a worker that died keeps its cases. Seconds, or ISO 8601."
    )
    patience: Duration = Field(
        default=timedelta(hours=75), description="How long a case may keep failing before it is parked for a human."
    )
    longest_wait: Duration = Field(
        default=timedelta(minutes=15), description="The longest wait between two tries of one case."
    )
    feeds: bool | None = Field(
        default=None,
        description="Whether `cases.ready`, `cases.delivered` and `cases.parked` are published. Unless said otherwise "
        "they are where a broker is configured: nobody else can read an embedded one, whose password is made for one "
        "run.",
    )
    bus: bool | None = Field(
        default=None,
        description="Whether an intake process takes events from `events.inbound.*`; unless said otherwise where a "
        "broker is configured. Of several intake processes let one do so, because order holds for one reader.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="From which level on events are logged."
    )

    @property
    def publishes_feeds(self) -> bool:
        """Whether the feeds are published."""
        return self.broker_url is not None if self.feeds is None else self.feeds

    @property
    def listens_to_bus(self) -> bool:
        """Whether events are taken from the bus."""
        return self.broker_url is not None if self.bus is None else self.bus

    @field_validator("ledger_url")
    @classmethod
    def _a_ledger_lives_there(cls, url: SecretStr) -> SecretStr:
        try:
            parsed = make_url(url.get_secret_value())
        except (SQLAlchemyError, ValueError):
            raise ValueError("not a database address") from None
        file = parsed.database if parsed.get_backend_name() == "sqlite" else None
        if parsed.get_backend_name() != "postgresql" and file in (None, "", ":memory:"):
            raise ValueError("the ledger lives in sqlite:///<file> or postgresql://<address>")
        return url

    @property
    def embedded(self) -> bool:
        """Whether the ledger is a file of this program's own, which it may migrate when it starts."""
        return self.ledger_url.get_secret_value().startswith("sqlite")


def load_settings() -> Settings:
    """The engine's settings. Raises SettingsError naming each variable that is wrong."""
    return _read(Settings, PREFIX)


def load_connector_names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The chosen sources and sinks, whatever else is wrong with the settings."""
    usual = {name: Settings.model_fields[name].default for name in ("sources", "sinks")}
    chosen = _read(create_model("Chosen", sources=(Names, usual["sources"]), sinks=(Names, usual["sinks"])), PREFIX)
    return chosen.sources, chosen.sinks  # type: ignore[attr-defined]  # the model was made here


def load_connector_settings(name: str, model: type[BaseModel]) -> BaseModel:
    """A connector's settings, from ``RELAIS_<NAME>_<FIELD>``.

    Raises SettingsError naming each variable that is wrong.
    """
    return _read(model, connector_prefix(name))


def connector_prefix(name: str) -> str:
    """What the variables of a connector begin with."""
    return f"{PREFIX}{name.upper()}_"


def refuse_unknown(known: Mapping[str, type[BaseModel]]) -> None:
    """Refuse what begins like a setting and is none, wherever it stands: most likely a slip of the pen.

    ``known`` gives the settings class by prefix. Raises SettingsError naming each, with the nearest known name, and
    the folder of the secrets where one is named that is not there.
    """
    names = {f"{prefix}{field.upper()}" for prefix, model in known.items() for field in model.model_fields}
    faults = [] if _secrets_directory() or not os.environ.get(SECRETS_DIRECTORY) else [_NO_SECRETS]
    for place, found in (
        ("", os.environ),
        (f" in {_FILE}", _names_in_file()),
        (f" in {SECRETS_DIRECTORY}", _secret_names()),
    ):
        faults += [
            f"{variable}{place}: no such setting{_nearest(variable, names)}"
            for variable in sorted(found)
            if variable.upper().startswith(PREFIX) and variable.upper() not in {*names, SECRETS_DIRECTORY}
        ]
    if faults:
        raise SettingsError(faults)


def _nearest(variable: str, names: Iterable[str]) -> str:
    ends = [name.removeprefix(PREFIX) for name in names]
    near = difflib.get_close_matches(variable.upper().removeprefix(PREFIX), ends, n=1)
    return f"; did you mean {PREFIX}{near[0]}?" if near else ""


def _secrets_directory() -> Path | None:
    directory = Path(os.environ.get(SECRETS_DIRECTORY) or _USUAL_SECRETS)
    return directory if directory.is_dir() else None


def _names_in_file() -> list[str]:
    try:
        return _IN_FILE.findall(Path(_FILE).read_text("utf-8", "replace"))
    except OSError:
        return []


def _secret_names() -> list[str]:
    directory = _secrets_directory()
    try:
        return [] if directory is None else [file.name for file in directory.iterdir()]
    except OSError as error:
        raise SettingsError([f"{SECRETS_DIRECTORY}: {error.strerror}"]) from None


def _read(model: type[_Model], prefix: str) -> _Model:
    reader = type(
        model.__name__,
        (model, BaseSettings),
        {
            "__doc__": model.__doc__,
            "__module__": __name__,
            "model_config": SettingsConfigDict(
                env_prefix=prefix,
                env_file=_FILE,
                secrets_dir=_secrets_directory(),
                enable_decoding=False,
                env_ignore_empty=True,
                extra="ignore",
                frozen=True,
                hide_input_in_errors=True,
            ),
        },
    )
    try:
        return cast("_Model", reader())
    except ValidationError as error:
        raise SettingsError(_fault(prefix, fault["loc"], fault["msg"]) for fault in error.errors()) from None


def _fault(prefix: str, location: tuple[int | str, ...], message: str) -> str:
    if not location:
        return f"{prefix}*: {message}"
    field = str(location[0])
    variable = field.upper() if field.upper().startswith(prefix) else f"{prefix}{field.upper()}"
    return f"{variable}: {message}"
