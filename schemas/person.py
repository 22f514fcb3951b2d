"""People in a case: each field that tells who somebody is is marked as personal."""

from schemas.base import GrowingVocabulary, Model, Personal
from schemas.text import Language


class PersonRole(GrowingVocabulary):
    """What somebody is to the case."""

    REPORTER = "reporter"
    APPLICANT = "applicant"
    ARCHITECT = "architect"
    OWNER = "owner"
    CONTACT = "contact"
    OTHER = "other"


class Person(Model):
    """Somebody in a case; ``capacity`` is the upstream's own word for what they act as (citizen, pro, resident)."""

    role: PersonRole
    capacity: str | None = None
    name: Personal[str | None] = None
    first_name: Personal[str | None] = None
    last_name: Personal[str | None] = None
    email: Personal[str | None] = None
    phone: Personal[str | None] = None
    language: Language | None = None
