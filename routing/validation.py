"""What a model refuses in a file, as faults with a line and a remedy."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from routing.document import Document, Step
from routing.fault import Fault

_M = TypeVar("_M", bound=BaseModel)


def validated(model: type[_M], value: object, document: Document, *path: Step) -> _M | list[Fault]:
    """The value at a path of a document as a model, or every fault that keeps it from being one."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False)
        return [_fault(details, model, document, path) for details in found if not _follows(details, found)]


def closest(word: str, known: Iterable[str]) -> str:
    """A remedy that names the nearest of the known words, or all of them."""
    choices = sorted(known)
    near = get_close_matches(word, choices, n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Known here: {', '.join(choices)}"


def _follows(details: ErrorDetails, found: list[ErrorDetails]) -> bool:
    """Whether a list is called too short only because the values in it were refused."""
    where = details["loc"]
    return details["type"] == "too_short" and any(
        other["loc"][: len(where)] == where and len(other["loc"]) > len(where) for other in found
    )


def _fault(details: ErrorDetails, model: type[BaseModel], document: Document, path: tuple[Step, ...]) -> Fault:
    where = details["loc"]
    name = ".".join(str(step) for step in (*path, *where)) or "the file"
    code, problem, remedy = _in_words(details, model)
    return Fault(document.file, document.line_of(*path, *where), code, f"{name} {problem}", remedy)


def _in_words(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str, str]:
    context: dict[str, Any] = details.get("ctx", {})
    match details["type"]:
        case "missing":
            return "missing", "is missing", "Add it"
        case "extra_forbidden":
            return "unknown-field", "is not a known field", closest(str(details["loc"][-1]), _fields(model))
        case "enum":
            return "not-a-choice", f"is '{details['input']}'", f"Use one of {context['expected']}"
        case "tuple_type":
            return "not-a-list", "is not a list", "Write it between brackets, for example [1000, 1020]"
        case "model_type" | "dict_type" | "model_attributes_type":
            return "not-a-mapping", "is not a mapping", "Write keys and values under it, or leave it out"
        case "too_short" | "string_too_short":
            return "no-value", "is empty", "Give at least one value, or leave it out"
        case "string_pattern_mismatch":
            return "pattern", f"is '{details['input']}'", f"Write it so that it matches {context['pattern']}"
        case "value_error":
            return "value", str(context["error"]), "Correct the value"
        case other:
            return other, f"is refused: {details['msg']}", "Correct the value"


def _fields(model: type[BaseModel]) -> set[str]:
    """The names of the fields of a model and of every model inside it."""
    schema = model.model_json_schema()
    models = [schema, *schema.get("$defs", {}).values()]
    return {field for each in models for field in each.get("properties", {})}
