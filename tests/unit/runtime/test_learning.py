"""Every process learns the catalogue that one of them has read."""

from relais.runtime.learning import CatalogueReader
from tests.doubles.scripted import ScriptedSource


class Catalogues:
    """The ledger's newest catalogue, as a script says; counts how often its text was read."""

    def __init__(self, *answers: tuple[int, str] | None) -> None:
        self._answers = list(answers)
        self._now: tuple[int, str] | None = None
        self.read = 0

    async def catalogue_versions(self) -> dict[str, int]:
        self._now = self._answers.pop(0)
        return {"scripted": self._now[0], "another": 7} if self._now else {}

    async def catalogue(self, source: str) -> tuple[int, str] | None:
        assert source == "scripted"
        self.read += 1
        return self._now


async def test_a_new_catalogue_is_learnt_and_the_same_one_is_not_even_read() -> None:
    source, polls = ScriptedSource(), Catalogues(None, (1, "first"), (1, "first"), (2, "second"))
    reader = CatalogueReader(polls, {"scripted": source})  # type: ignore[arg-type]  # the two methods it uses
    learnt = []
    for _ in range(4):
        await reader.once()
        learnt.append(source.learnt)
    assert learnt == ["", "first", "first", "second"]
    assert polls.read == 2
