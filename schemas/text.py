"""Languages, and a text in several of them."""

from enum import StrEnum

from schemas.base import Model


class Language(StrEnum):
    """The languages a case can speak: the city's two, and two more where a source gives them."""

    FR = "fr"
    NL = "nl"
    DE = "de"
    EN = "en"


class Localised(Model):
    """One text by language; a language that is not there was not given, never translated by us."""

    fr: str | None = None
    nl: str | None = None
    de: str | None = None
    en: str | None = None

    def first(self, *preferred: Language) -> str | None:
        """The text in the first preferred language that has one, else in any, French and Dutch before the others."""
        for language in (*preferred, *Language):
            text: str | None = getattr(self, language.value)
            if text:
                return text
        return None
