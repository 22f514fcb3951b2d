"""The settings of CRM-CMT."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, SecretStr


def _address(url: str) -> str:
    parsed = HttpUrl(url)
    if parsed.query or parsed.fragment or parsed.username or parsed.password:
        raise ValueError("an address without credentials, query or fragment is needed")
    return url.rstrip("/")


def _sendable(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a token of visible ASCII characters is needed")
    return token


class CrmCmtSettings(BaseModel):
    """How to reach CRM-CMT, and how much to ask of it at once."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: Annotated[str, AfterValidator(_address)] = Field(
        description="The address in front of the intake, without `/api/v1`."
    )
    token: Annotated[SecretStr, AfterValidator(_sendable)] = Field(
        description="The bearer token that the CRM's administrators gave Relais; it needs the rights to read and write."
    )
    timeout_seconds: float = Field(
        default=10,
        gt=0,
        le=300,
        description="The longest that one request may take altogether, in seconds; below the lease of a claim.",
    )
    batch_size: int = Field(
        default=50, ge=1, le=100, description="How many cases go into one request at most; 1 sends each on its own."
    )
    concurrency: int = Field(default=16, ge=1, le=128, description="How many requests may be in flight at once.")
    settles_after_seconds: float = Field(
        default=0,
        ge=0,
        le=86_400,
        description="How long a write may stay invisible to a look-up, in seconds; the contract says not at all.",
    )
    response_limit_bytes: int = Field(
        default=4_194_304, ge=65_536, description="The largest answer read, in bytes after decompression."
    )
