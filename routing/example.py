"""Example cases: what is given, and which rule has to decide what."""

from typing import Annotated

from pydantic import Field

from routing.choose import Choice, Rules, choose
from routing.facts import RoutingFacts
from routing.rule import SOURCE_PATTERN, CategoryId, RuleName, RuleNisCode, RulePostalCode
from routing.within import Within
from schemas.base import Identifier, Model
from schemas.case import Category, Kind, Status
from schemas.decision import Priority
from schemas.place import RoadManager
from schemas.text import Language, Localised


class GivenCategory(Model):
    """One step of a category path with its labels."""

    id: CategoryId
    label: Localised = Localised()


class Given(Model):
    """The facts of an example; what is not said is not known."""

    category: Annotated[
        tuple[CategoryId | GivenCategory, ...], Field(description="The path from the root to the leaf.")
    ] = ()
    municipality: RuleNisCode | None = None
    postal_code: RulePostalCode | None = None
    road_manager: RoadManager | None = None
    status: Status = Status.RECEIVED
    kind: Kind
    language: Language | None = None

    def facts(self, source: str) -> RoutingFacts:
        """The facts as a case of a source would have them."""
        return RoutingFacts(
            source=source,
            kind=self.kind,
            category=tuple(_category(step) for step in self.category),
            municipality=self.municipality,
            postal_code=self.postal_code,
            road_manager=self.road_manager,
            status=self.status,
            language=self.language,
        )


class Expected(Model):
    """What has to be decided; only what is said is compared."""

    rule: RuleName
    case_type: Identifier | None = None
    department: Identifier | None = None
    priority: Priority | None = None
    within: Within | None = None
    destination: Identifier | None = None
    tags: tuple[Identifier, ...] | None = None
    language: Language | None = None

    def differences(self, choice: Choice) -> list[str]:
        """What was decided otherwise, a line for each field."""
        return [
            f"{name} is {actual}, expected {expected}"
            for name in type(self).model_fields
            if (expected := getattr(self, name)) is not None and (actual := getattr(choice.decision, name)) != expected
        ]


class Example(Model):
    """One example case; its name says what it shows."""

    name: Annotated[str, Field(min_length=1)]
    given: Given
    expected: Expected

    def differences(self, rules: Rules, source: str) -> list[str]:
        """How the rules decide this example otherwise than expected."""
        return self.expected.differences(choose(rules, self.given.facts(source)))


class ExampleSet(Model):
    """The example cases of one source."""

    source: Annotated[str, Field(pattern=SOURCE_PATTERN)]
    examples: Annotated[tuple[Example, ...], Field(min_length=1)]


def _category(step: str | GivenCategory) -> Category:
    return Category(id=step) if isinstance(step, str) else Category(id=step.id, label=step.label)
