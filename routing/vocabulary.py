"""The words that rules may decide in: case types, departments and destinations, each with its labels."""

from typing import Annotated

from pydantic import Field

from schemas.base import Identifier, Model


class Label(Model):
    """A name in the city's two languages."""

    fr: Annotated[str, Field(min_length=1, description="The name in French.")]
    nl: Annotated[str, Field(min_length=1, description="The name in Dutch.")]


Labels = Annotated[dict[Identifier, Label], Field(min_length=1)]


class Vocabulary(Model):
    """What exists to be decided; a rule that decides anything else is at fault."""

    case_types: Annotated[Labels, Field(description="The types of case that the CRM knows.")]
    departments: Annotated[Labels, Field(description="The city's departments that cases are given to.")]
    destinations: Annotated[Labels, Field(description="The sinks that cases are sent to, by the connector's name.")]
