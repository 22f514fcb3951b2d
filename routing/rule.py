"""A rule: when it applies, and what it then decides."""

from hashlib import sha256
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from routing.within import Within
from schemas.base import Identifier, Model
from schemas.case import Kind, Status
from schemas.decision import Priority
from schemas.place import NisCode, PostalCode, RoadManager
from schemas.text import Language

TO_BE_CLASSIFIED: Final = "to-be-classified"
"""The tag of what no rule but the last one of its source caught."""

NAME_PATTERN: Final = r"^[a-z0-9]+(-[a-z0-9]+)*$"
SOURCE_PATTERN: Final = r"^[a-z][a-z0-9_]*$"

_T = TypeVar("_T")


def _each_once(values: tuple[_T, ...]) -> tuple[_T, ...]:
    repeated = {str(value) for value in values if values.count(value) > 1}
    if repeated:
        raise ValueError(f"names {', '.join(sorted(repeated))} more than once")
    return values


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _number_like(pattern: str) -> WithJsonSchema:
    # An editor reads an unquoted 1000 as a number, the loader reads every scalar as text.
    return WithJsonSchema({"anyOf": [{"type": "string", "pattern": pattern}, {"type": "integer", "minimum": 0}]})


Values = Annotated[tuple[_T, ...], Field(min_length=1), AfterValidator(_each_once)]
"""One or more values, any of which will do; an empty list could never match and is refused."""

RuleName = Annotated[str, Field(pattern=NAME_PATTERN, max_length=80)]
CategoryId = Annotated[Identifier, BeforeValidator(_as_text), _number_like(r"^\S+$")]
RulePostalCode = Annotated[PostalCode, BeforeValidator(_as_text), _number_like(r"^[1-9][0-9]{3}$")]
RuleNisCode = Annotated[NisCode, BeforeValidator(_as_text), _number_like(r"^[0-9]{5}$")]
CategoryLabel = Annotated[str, Field(min_length=1, pattern=r"\S")]


class CategoryCondition(Model):
    """Some step of the category path, the leaf or one of its parents, has one of the ids or one of the labels."""

    ids: Annotated[Values[CategoryId] | None, Field(description="Ids in the source's catalogue.")] = None
    labels: Annotated[
        dict[Language, Values[CategoryLabel]] | None,
        Field(min_length=1, description="Labels by language, compared without case, accents or spacing."),
    ] = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.ids is None and self.labels is None:
            raise ValueError("a category condition needs ids or labels")
        return self


class When(Model):
    """The conditions of a rule: all that are given must hold, and what is not known holds none of them."""

    category: Annotated[CategoryCondition | None, Field(description="What the case is about.")] = None
    municipalities: Annotated[Values[RuleNisCode] | None, Field(description="Municipalities by NIS code.")] = None
    postal_codes: Annotated[Values[RulePostalCode] | None, Field(description="Postal codes of the place.")] = None
    road_managers: Annotated[Values[RoadManager] | None, Field(description="Who manages the road.")] = None
    statuses: Annotated[Values[Status] | None, Field(description="Canonical statuses.")] = None
    kinds: Annotated[Values[Kind] | None, Field(description="Sorts of case.")] = None
    languages: Annotated[Values[Language] | None, Field(description="The language the case is to be answered in.")] = (
        None
    )

    @property
    def conditions(self) -> tuple[str, ...]:
        """The names of the conditions that are given."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)


class Then(Model):
    """What a rule decides."""

    case_type: Annotated[Identifier, Field(description="A case type of the vocabulary.")]
    department: Annotated[Identifier, Field(description="A department of the vocabulary.")]
    priority: Annotated[Priority, Field(description="How urgent it is.")] = Priority.NORMAL
    within: Annotated[Within | None, Field(description="Time allowed from the report, in calendar time.")] = None
    destination: Annotated[Identifier | None, Field(description="A sink; by default the one of the file.")] = None
    tags: Annotated[tuple[Identifier, ...], AfterValidator(_each_once), Field(description="Marks on the case.")] = ()
    language: Annotated[
        Language | None, Field(description="Language to answer in; by default the one the case speaks.")
    ] = None


class Rule(Model):
    """One rule; without conditions it catches everything."""

    name: Annotated[RuleName, Field(description="Names the rule in every case that it routes; unique in the file.")]
    when: Annotated[When, Field(description="Conditions, all of which must hold.")] = When()
    then: Annotated[Then, Field(description="What is decided.")]


class RuleSet(Model):
    """The rules of one source in their order: the first that matches decides.

    ``parents`` is the tree of the source's catalogue as far as it is known, child to parent. It completes the path of
    a case whose source names a category without its parents, and tells which rule can never be reached.
    """

    source: Annotated[str, Field(pattern=SOURCE_PATTERN, description="The connector whose cases these rules route.")]
    destination: Annotated[Identifier, Field(description="The sink of every rule that names none.")]
    parents: Annotated[
        dict[CategoryId, CategoryId],
        Field(default_factory=dict, description="Known categories: the id of each one's parent, by its id."),
    ]
    rules: Annotated[tuple[Rule, ...], Field(min_length=1, description="First match wins.")]

    @model_validator(mode="after")
    def _no_category_is_its_own_ancestor(self) -> Self:
        for start in self.parents:
            if start in self.ancestors_of(start):
                raise ValueError(f"category {start} is its own ancestor")
        return self

    def ancestors_of(self, category_id: str) -> tuple[str, ...]:
        """The known ancestors of a category, nearest first."""
        ancestors: list[str] = []
        parent = self.parents.get(category_id)
        while parent is not None and parent not in ancestors:
            ancestors.append(parent)
            parent = self.parents.get(parent)
        return tuple(ancestors)

    def version(self) -> str:
        """A digest of what the rules say: the same for the same rules, however the file is laid out."""
        return sha256(self.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:16]
