"""What a changed JSON Schema breaks, and for whom.

Our messages are read in two ways, and a change can break either:

- *stored*: newer code reads what older code wrote (the ledger, a stream, a replay). Breaks where the new schema refuses
  what the old one allowed: it asks for more, or allows less.
- *others*: a reader that knows the old schema gets a new message. Breaks where the new schema allows what the old one
  ruled out: it promises less, or says what the reader has no word for.

A reader of ours ignores fields that it does not know, so a new optional field breaks nobody. What neither case covers
(a changed pattern, a keyword not known here) counts as breaking both: silence would be a guess.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from schemas.base import GROWING_MARK, PERSONAL_MARK

Schema = Mapping[str, Any]
Subschema = Schema | bool


class Reading(StrEnum):
    """A way of reading that a change breaks."""

    STORED = "stored"
    OTHERS = "others"


STORED: Final = frozenset({Reading.STORED})
OTHERS: Final = frozenset({Reading.OTHERS})
BOTH: Final = STORED | OTHERS


@dataclass(frozen=True, slots=True)
class Break:
    """A change that breaks somebody: where (``/place/point``), what, and whose reading."""

    path: str
    what: str
    breaks: frozenset[Reading]

    def __str__(self) -> str:
        return f"{self.path or '/'}: {self.what} (breaks {' and '.join(sorted(self.breaks))})"


_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SAYS_NOTHING: Final = frozenset({"$id", "$schema", "$defs", "$ref", "title", "description", "examples", "deprecated"})
_HANDLED: Final = frozenset(
    {*_LOWER, *_UPPER, "type", "enum", "const", "anyOf", "oneOf", "discriminator", "default"}
    | {"properties", "required", "additionalProperties", "propertyNames", "items", "prefixItems"}
    | {PERSONAL_MARK, GROWING_MARK}
)
_ANYTHING: Final[Schema] = {}
_DEFINITIONS: Final = "#/$defs/"


def breaking_changes(old: Schema, new: Schema) -> tuple[Break, ...]:
    """Every change from one JSON Schema to the next that breaks a reader, in a stable order; empty if there is none."""
    comparison = _Comparison(old, new)
    return (*comparison.of(old, new, ""), *comparison.definitions())


class _Comparison:
    """Walks two schemas side by side, each with its own definitions."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old_definitions: Schema = old.get("$defs", {})
        self._new_definitions: Schema = new.get("$defs", {})
        self._seen: set[tuple[str, str]] = set()

    def of(self, old: Subschema, new: Subschema, path: str) -> Iterator[Break]:
        old_name, old = _followed(old, self._old_definitions)
        new_name, new = _followed(new, self._new_definitions)
        if old_name and new_name:
            # A definition is compared where it is first met; one that holds itself would never end.
            if (old_name, new_name) in self._seen:
                return
            self._seen.add((old_name, new_name))
        if _is_union(old) or _is_union(new):
            old, new = _as_union(old), _as_union(new)
            yield from self._alternatives(old, new, path)
        else:
            yield from _types(old, new, path)
            yield from _values(old, new, path)
            yield from self._members(old, new, path)
            yield from self._items(old, new, path)
        yield from _bounds(old, new, path)
        yield from _other_keywords(old, new, path)
        if "default" in old and "default" in new and old["default"] != new["default"]:
            yield Break(path, "another value is assumed where nothing is said", STORED)
        if old.get(PERSONAL_MARK) and not new.get(PERSONAL_MARK):
            yield Break(path, "no longer marked as personal, so a reader would show it", OTHERS)

    def definitions(self) -> Iterator[Break]:
        """What is used from places that this walk does not understand is still compared by its name."""
        for name in sorted(self._old_definitions.keys() & self._new_definitions.keys()):
            reference = {"$ref": f"{_DEFINITIONS}{name}"}
            yield from self.of(reference, reference, f"/$defs/{name}")

    def _alternatives(self, old: Schema, new: Schema, path: str) -> Iterator[Break]:
        """Each old alternative is held against the new one that it differs from least."""
        left = list(self._flat(new, self._new_definitions))
        for alternative in self._flat(old, self._old_definitions):
            found = self._nearest(alternative, left)
            if found is None:
                sort = _sort_of(_followed(alternative, self._old_definitions)[1])
                yield Break(path, f"{sort} is no longer allowed", STORED)
            else:
                left.remove(found)
                yield from self.of(alternative, found, path)
        for alternative in left:
            sort = _sort_of(_followed(alternative, self._new_definitions)[1])
            yield Break(path, f"{sort} is allowed now", OTHERS)

    def _nearest(self, old: Schema, candidates: list[Schema]) -> Schema | None:
        sort = _sort_of(_followed(old, self._old_definitions)[1])
        same_sort = [one for one in candidates if _sort_of(_followed(one, self._new_definitions)[1]) == sort]
        return min(same_sort, key=lambda one: len(self._faults(old, one)), default=None)

    def _faults(self, old: Schema, new: Schema) -> tuple[Break, ...]:
        trial = _Comparison({"$defs": self._old_definitions}, {"$defs": self._new_definitions})
        trial._seen = set(self._seen)
        return tuple(trial.of(old, new, ""))

    def _flat(self, schema: Schema, definitions: Schema) -> Iterator[Schema]:
        """Unions within unions taken apart; an alternative keeps its reference, by which a circle is noticed."""
        _, followed = _followed(schema, definitions)
        if not _is_union(followed):
            yield schema
            return
        for alternative in followed.get("anyOf", followed.get("oneOf", ())):
            yield from self._flat(alternative, definitions)

    def _members(self, old: Schema, new: Schema, path: str) -> Iterator[Break]:
        old_members: Schema = old.get("properties", {})
        new_members: Schema = new.get("properties", {})
        was_required, is_required = frozenset(old.get("required", ())), frozenset(new.get("required", ()))
        for name in old_members:
            here = f"{path}/{name}"
            if name not in new_members:
                yield Break(here, "removed", BOTH)
                continue
            if name in was_required and name not in is_required:
                yield Break(here, "no longer always there", OTHERS)
            if name in is_required and name not in was_required:
                yield Break(here, "required now", STORED)
            yield from self.of(old_members[name], new_members[name], here)
        further = old.get("additionalProperties", True)
        for name in [name for name in new_members if name not in old_members]:
            if name in is_required:
                yield Break(f"{path}/{name}", "new and required", STORED)
            if further is False:
                yield Break(f"{path}/{name}", "new, and further fields were ruled out", OTHERS)
            elif further is not True:
                yield from self.of(further, new_members[name], f"{path}/{name}")
        for name in sorted((was_required | is_required) - old_members.keys() - new_members.keys()):
            if name not in was_required:
                yield Break(f"{path}/{name}", "required now", STORED)
            elif name not in is_required:
                yield Break(f"{path}/{name}", "no longer always there", OTHERS)
        yield from self._further_members(old, new, path)

    def _further_members(self, old: Schema, new: Schema, path: str) -> Iterator[Break]:
        if old.get("propertyNames") != new.get("propertyNames"):
            yield Break(path, "other names of fields are allowed", BOTH)
        match old.get("additionalProperties", True), new.get("additionalProperties", True):
            case (True, True) | (False, False):
                pass
            case (_, False):
                yield Break(path, "further fields are no longer allowed", STORED)
            case (False, _):
                yield Break(path, "further fields are allowed now", OTHERS)
            case (before, now):
                yield from self.of(before, now, f"{path}/*")

    def _items(self, old: Schema, new: Schema, path: str) -> Iterator[Break]:
        before, now = old.get("prefixItems", []), new.get("prefixItems", [])
        if len(before) != len(now):
            yield Break(path, "the list has other places", BOTH)
        for place, (one, other) in enumerate(zip(before, now, strict=False)):
            yield from self.of(one, other, f"{path}/{place}")
        if "items" in old or "items" in new:
            yield from self.of(old.get("items", True), new.get("items", True), f"{path}/-")


def _followed(schema: Subschema, definitions: Schema) -> tuple[str | None, Schema]:
    """The schema that a reference names, with what stands beside the reference; and the name."""
    if schema is True:
        return None, _ANYTHING
    if schema is False:
        return None, {"enum": []}
    if "$ref" not in schema:
        return None, schema
    name = str(schema["$ref"]).removeprefix(_DEFINITIONS)
    _, target = _followed(definitions[name], definitions)
    beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
    # What stands beside a reference is compared each time, so only a bare one may be skipped when met again.
    return (None if beside.keys() - _SAYS_NOTHING else name), {**target, **beside}


def _is_union(schema: Schema) -> bool:
    return "anyOf" in schema or "oneOf" in schema


def _as_union(schema: Schema) -> Schema:
    """A plain schema as a union of one, with what is said about the field left outside."""
    if _is_union(schema):
        return schema
    outside = {"default", PERSONAL_MARK} & schema.keys()
    inside = {keyword: value for keyword, value in schema.items() if keyword not in outside}
    return {"anyOf": [inside], **{keyword: schema[keyword] for keyword in outside}}


def _sort_of(schema: Schema) -> str:
    if "const" in schema or "enum" in schema:
        return "a fixed value" if "type" not in schema else str(schema["type"])
    return str(schema.get("type", "anything"))


def _types(old: Schema, new: Schema, path: str) -> Iterator[Break]:
    before, now = _type_names(old), _type_names(new)
    if gone := sorted(before - now):
        yield Break(path, f"no longer of type {', '.join(gone)}", STORED)
    if added := sorted(now - before):
        yield Break(path, f"may be of type {', '.join(added)} now", OTHERS)


_TYPES: Final = frozenset({"null", "boolean", "integer", "fraction", "string", "array", "object"})


def _type_names(schema: Schema) -> frozenset[str]:
    """The JSON types that a schema allows; a number is an integer or a fraction, so that the two can be compared."""
    given = schema.get("type")
    if given is None:
        return _TYPES
    names = {given} if isinstance(given, str) else set(given)
    return frozenset(names - {"number"} | ({"integer", "fraction"} if "number" in names else set()))


def _values(old: Schema, new: Schema, path: str) -> Iterator[Break]:
    before, now = _fixed_values(old), _fixed_values(new)
    if before is None and now is not None:
        growing = old.get(GROWING_MARK)
        known = [] if growing is None else [repr(value) for value in growing]
        missing = sorted(set(known) - now)
        yield Break(
            path, f"only fixed values are allowed now{', without ' + ', '.join(missing) if missing else ''}", STORED
        )
    elif before is not None and now is None:
        yield Break(path, "no longer one of fixed values", OTHERS)
    elif before is not None and now is not None:
        if gone := sorted(before - now):
            yield Break(path, f"the value {', '.join(gone)} is no longer allowed", STORED)
        if added := sorted(now - before):
            yield Break(path, f"the value {', '.join(added)} is allowed now", OTHERS)
    elif gone := sorted({repr(v) for v in old.get(GROWING_MARK, ())} - {repr(v) for v in new.get(GROWING_MARK, ())}):
        yield Break(path, f"the value {', '.join(gone)} is no longer known", STORED)


def _fixed_values(schema: Schema) -> frozenset[str] | None:
    if "const" in schema:
        return frozenset({repr(schema["const"])})
    return frozenset(map(repr, schema["enum"])) if "enum" in schema else None


def _bounds(old: Schema, new: Schema, path: str) -> Iterator[Break]:
    for keywords, direction in ((_LOWER, 1), (_UPPER, -1)):
        for keyword in keywords:
            before, now = old.get(keyword), new.get(keyword)
            if before == now:
                continue
            tightened = before is None or (now is not None and (now - before) * direction > 0)
            yield Break(path, f"{keyword} was {before}, is {now}", STORED if tightened else OTHERS)


def _other_keywords(old: Schema, new: Schema, path: str) -> Iterator[Break]:
    """A pattern, a format, and whatever we do not know."""
    for keyword in sorted((old.keys() | new.keys()) - _SAYS_NOTHING - _HANDLED):
        if keyword not in new:
            breaks = OTHERS
        elif keyword not in old:
            breaks = STORED
        else:
            breaks = BOTH
        if old.get(keyword) != new.get(keyword):
            yield Break(path, f"{keyword} was {old.get(keyword)!r}, is {new.get(keyword)!r}", breaks)
