"""The settings of Fix My Street."""

from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from schemas.place import PostalCode

_GATEWAY: Final = "https://api.brussels/api/fixmystreet/1.0.0"
_Given = TypeVar("_Given", str, SecretStr, None)


def _address(url: str) -> str:
    parsed = HttpUrl(url)
    if parsed.query or parsed.fragment or parsed.username or parsed.password:
        raise ValueError("an address without credentials, query or fragment is needed")
    return url.rstrip("/")


def _listed(value: Any) -> Any:
    """A text from the environment is a list by commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _seconds(value: Any) -> Any:
    """A bare number from the environment is a number of seconds."""
    return float(value) if isinstance(value, str) and value.replace(".", "", 1).isdigit() else value


Address = Annotated[str, AfterValidator(_address)]
Secret = Annotated[SecretStr, Field(min_length=1)]
Pause = Annotated[timedelta, BeforeValidator(_seconds), Field(gt=timedelta(0))]


class FixMyStreetSettings(BaseModel):
    """How to reach Fix My Street, and how much of it is ours."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    access: Literal["gateway", "site"] = Field(
        default="gateway",
        description="Which way in `base_url` is: `gateway` is the region's API gateway (a subscription, a token), "
        "`site` the web site's own backend (no key, not a published API).",
    )
    base_url: Address = Field(
        default=_GATEWAY,
        validate_default=True,
        description="The address that `/incidents` and `/categories` stand under; usually the gateway's, so that it "
        "has to be given with `site`.",
    )
    token_url: Address = Field(
        default="https://api.brussels/api/token", description="Where the gateway gives tokens; unused with `site`."
    )
    consumer_key: str | None = Field(
        default=None,
        min_length=1,
        validate_default=True,
        description="The key of the gateway subscription; required with `gateway`.",
    )
    consumer_secret: Secret | None = Field(
        default=None,
        validate_default=True,
        description="The secret of the gateway subscription; required with `gateway`.",
    )
    scope: str | None = Field(
        default=None, description="The scope to ask a token for; none unless the gateway wants one."
    )
    webhook_signature_key: Secret = Field(
        description="The key that Fix My Street signs what it pushes with (HMAC-SHA1 over the raw body)."
    )
    webhook_token: Secret | None = Field(
        default=None,
        description="The token that pushes must carry as well (`Authorization: Token ...`), if one was agreed.",
    )
    since: date = Field(
        description="Reports created before this day are not polled, so that history does not flood the CRM. What is "
        "pushed to us is taken whatever its day: somebody has just asked the city for it."
    )
    municipalities: Annotated[tuple[PostalCode, ...], BeforeValidator(_listed)] = Field(
        min_length=1,
        description="The postal codes whose reports are polled; the City of Brussels has 1000, 1020, 1120, 1130. What "
        "is pushed to us is taken wherever it is.",
    )
    recent_every: Pause = Field(
        default=timedelta(minutes=1), description="How often the first pages and the newest days are read."
    )
    recent_days: int = Field(default=3, ge=1, le=90, description="How many days back count as the newest.")
    sweep_every: Pause = Field(
        default=timedelta(hours=24), description="How often everything since `since` is read again from end to end."
    )
    sweep_slice_days: int = Field(
        default=7, ge=1, le=366, description="How many days of creation a sweep asks for at a time."
    )
    page_size: int = Field(default=200, ge=1, le=10_000, description="How many reports to ask for in one request.")
    timeout_seconds: float = Field(
        default=20, gt=0, le=300, description="The longest that one request may take altogether, in seconds."
    )
    rate_per_second: float = Field(default=4, gt=0, le=1_000, description="How many requests a second we send at most.")
    body_limit: int = Field(
        default=1_048_576, ge=1_024, description="The largest push accepted, in bytes after decoding of the transfer."
    )
    answer_limit: int = Field(
        default=33_554_432, ge=65_536, description="The largest answer read, in bytes after decompression."
    )

    @field_validator("base_url")
    @classmethod
    def _the_site_is_not_the_gateway(cls, url: str, info: ValidationInfo) -> str:
        if info.data.get("access") == "site" and url == _GATEWAY:
            raise ValueError("this is the gateway; access through the site needs the site's own address")
        return url

    @field_validator("consumer_key", "consumer_secret")
    @classmethod
    def _a_gateway_needs_credentials(cls, given: _Given, info: ValidationInfo) -> _Given:
        if info.data.get("access") == "gateway" and given is None:
            raise ValueError("access through the gateway needs it")
        return given
