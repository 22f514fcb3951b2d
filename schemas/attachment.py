"""What is added to a case beside its fields: notes and attachments, each said once under a key of its own."""

from enum import StrEnum

from schemas.base import Identifier, Instant, Model, Personal
from schemas.text import Language, Localised


class Visibility(StrEnum):
    """Who may read a note or an attachment on the CRM's side."""

    PUBLIC = "public"
    INTERNAL = "internal"


class Note(Model):
    """Something said in a case. The same key is the same note, however often a source repeats it."""

    key: Identifier
    text: Personal[str]
    author: Personal[str | None] = None
    written_at: Instant | None = None
    language: Language | None = None
    visibility: Visibility = Visibility.INTERNAL


class Attachment(Model):
    """A file by reference, never its bytes; the address may carry an access token and is treated as personal."""

    key: Identifier
    url: Personal[str]
    title: Localised | None = None
    media_type: str | None = None
    language: Language | None = None
    visibility: Visibility = Visibility.INTERNAL
