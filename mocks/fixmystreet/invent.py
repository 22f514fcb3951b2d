"""Invented people, texts and reports on real streets; the same generator gives the same world for the same seed."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal

from mocks.fixmystreet.categories import Category, CategoryTree
from mocks.fixmystreet.places import (
    AGENCY_DISPATCH,
    CITY_CRM,
    CITY_POSTAL_CODES,
    CLEANLINESS_AGENCY,
    MOBILITY_DISPATCH,
    Department,
    Street,
    commune_department,
    known_streets,
)
from mocks.fixmystreet.records import Address, Comment, Creator, Report, Security, Status

Language = Literal["fr", "nl", "en"]

# Shares of the roots: cleanliness 53 and road 15 are the 2023 figures, the others are invented to fill up to 100.
ROOT_SHARES = {
    1002: 53,
    1001: 15,
    1003: 4,
    1004: 4,
    1005: 4,
    1006: 5,
    1007: 6,
    1008: 1,
    1010: 1,
    1100: 1,
    5100: 4,
    5200: 1,
    5400: 1,
}


@dataclass(frozen=True)
class Phrases:
    """The invented names, and the texts by language and, for a first comment, by root category or `other`."""

    first_names: tuple[str, ...]
    invented_surnames: tuple[str, ...]
    first: dict[Language, dict[str, list[str]]]
    later: dict[Language, list[str]]

    def a_name(self, rng: random.Random) -> tuple[str, str]:
        """A first name and a surname that nobody bears."""
        return rng.choice(self.first_names), rng.choice(self.invented_surnames)


@cache
def known_phrases() -> Phrases:
    """The content of phrases.json."""
    return Phrases(**json.loads(Path(__file__).with_name("phrases.json").read_text("utf-8")))


def a_creator(rng: random.Random, *, pro: bool = False, language: Language | None = None) -> Creator:
    """Somebody who does not exist; one in 25 writes English."""
    spoken: Language = language or rng.choices(("fr", "nl", "en"), (66, 30, 4))[0]
    first, last = known_phrases().a_name(rng)
    number = rng.randrange(10_000)
    phone = f"0470 00 {number // 100:02d} {number % 100:02d}"
    if pro:
        return Creator("pro", first, last, phone, f"agent{number}@example.org", "nl" if spoken == "nl" else "fr")
    return Creator(
        "citizen", "", f"{first} {last}", phone if rng.random() < 0.6 else "", f"citizen{number}@example.org", spoken
    )


def a_first_comment(rng: random.Random, creator: Creator, root: int, at: datetime) -> Comment:
    """What the reporter wrote when reporting."""
    texts = known_phrases().first[creator.language]
    text = rng.choice(texts.get(str(root), texts["other"]) if rng.random() < 0.7 else texts["other"])
    return Comment(at, f"{creator.first_name} {creator.last_name}".strip(), text)


def a_later_comment(rng: random.Random, language: Language, at: datetime) -> Comment:
    """What somebody adds afterwards; one in ten is confidential and never leaves."""
    securities: tuple[Security, ...] = ("public", "private", "confidential")
    security = rng.choices(securities, (45, 45, 10))[0]
    phrases = known_phrases()
    return Comment(at, " ".join(phrases.a_name(rng)), rng.choice(phrases.later[language]), security)


def leaf_choices(tree: CategoryTree, *, pro: bool) -> dict[int, list[Category]]:
    """Active, listed leaves by root; professional-only ones are for professionals."""
    choices: dict[int, list[Category]] = {}
    for leaf in tree.leaves():
        path = tree.path(leaf.id)
        if all(node.active and node.listed and (pro or node.public) for node in path):
            choices.setdefault(path[0].id, []).append(leaf)
    return choices


def a_category(rng: random.Random, tree: CategoryTree, *, pro: bool, unlisted_share: float = 0.0) -> int:
    """A leaf by the shares of the roots; now and then one that `/categories` does not list."""
    if rng.random() < unlisted_share:
        return rng.choice([leaf.id for leaf in tree.leaves() if not leaf.listed])
    choices = leaf_choices(tree, pro=pro)
    roots = [root for root in choices if root in ROOT_SHARES]
    return rng.choice(choices[rng.choices(roots, [ROOT_SHARES[root] for root in roots])[0]]).id


def a_street(rng: random.Random, *, other_share: float, postal_code: str | None = None) -> Street:
    """A street of the city, or of another municipality in `other_share` of the cases."""
    streets: Sequence[Street] = known_streets()
    if postal_code is not None:
        return rng.choice([street for street in streets if street.postal_code == postal_code])
    elsewhere = rng.random() < other_share
    return rng.choice([street for street in streets if (street.postal_code not in CITY_POSTAL_CODES) == elsewhere])


def dispatched_to(rng: random.Random, street: Street, path: Sequence[Category]) -> Department:
    """Who gets a new report: regional roads to the Region since 2020; the shares of the rest are invented."""
    if street.regional:
        return MOBILITY_DISPATCH
    agency = any(node.organisation == CLEANLINESS_AGENCY.id for node in path)
    if agency and rng.random() < 0.2:
        return AGENCY_DISPATCH
    if street.postal_code in CITY_POSTAL_CODES and rng.random() < 0.7:
        return CITY_CRM
    return commune_department(street.postal_code)


def a_report(
    rng: random.Random,
    tree: CategoryTree,
    report_id: int,
    at: datetime,
    *,
    other_share: float = 0.2,
    unlisted_share: float = 0.0,
    postal_code: str | None = None,
    category_id: int | None = None,
    language: Language | None = None,
) -> Report:
    """A whole new report with its first comment, not yet taken into any world."""
    pro = rng.random() < 0.12
    creator = a_creator(rng, pro=pro, language=language)
    street = a_street(rng, other_share=other_share, postal_code=postal_code)
    chosen = a_category(rng, tree, pro=pro, unlisted_share=unlisted_share)
    category = chosen if category_id is None else category_id
    path = tree.path(category)
    point = (round(street.x + rng.uniform(-60, 60), 3), round(street.y + rng.uniform(-60, 60), 3))
    number = rng.choices((str(rng.randint(1, 180)), f"{rng.randint(1, 90)}{rng.choice('AB')}", ""), (85, 7, 8))[0]
    has_point, has_comment = rng.random() >= 0.02, rng.random() < 0.85
    comments = [a_first_comment(rng, creator, path[0].id, at + timedelta(seconds=1))]
    return Report(
        id=report_id,
        created_at=at,
        modified_at=at,
        status=Status.CREATED,
        category_id=category,
        address=Address(street, number),
        point=point if has_point else None,
        creator=creator,
        department=dispatched_to(rng, street, path),
        private=pro and rng.random() < 0.4,
        several_occurrences=rng.random() < 0.08,
        third_party_responsibility=pro and rng.random() < 0.1,
        private_property=rng.random() < 0.03,
        comments=comments if has_comment else [],
        source="mobile" if rng.random() < 0.5 else "web",
    )
