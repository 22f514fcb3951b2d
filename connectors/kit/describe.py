"""A connector's settings, told to people: the table in its README is made of this."""

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python


def settings_table(connector: str, settings: type[BaseModel]) -> str:
    """A Markdown table of every setting: its variable, what it is without being set, what it is for."""
    rows = [
        f"| `{variable_of(connector, name)}` | {_usual(field)} | {field.description or ''} |"
        for name, field in settings.model_fields.items()
    ]
    return "\n".join(["| variable | usual | what it is |", "|---|---|---|", *rows, ""])


def variable_of(connector: str, field: str) -> str:
    """The environment variable that a setting is read from."""
    return f"RELAIS_{connector}_{field}".upper()


def _usual(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined or isinstance(value, SecretStr):
        return ""
    return f"`{to_jsonable_python(value)}`"
