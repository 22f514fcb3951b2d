"""The judge: green where everything was done right, however much was skipped; red for each thing that can go wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from relais.demonstration.findings import Kind
from relais.demonstration.judge import Verdict, judge
from tests.unit.demonstration.accounts import (
    DELETED,
    EARLIER,
    ELSEWHERE,
    FIRST_WORDS,
    FOLLOWED,
    LATER_WORDS,
    PERSON,
    PRIVATE,
    REFUSED,
    UNPUSHED,
    CaseScript,
    Day,
    ReportScript,
    a_comment,
    a_good_day,
    a_note,
    a_version,
    documents_of,
    polled_state,
    pushed_state,
    reporter,
)

ASTRAY, DOUBLED, LOST, OUT_OF_ORDER = Kind.ASTRAY, Kind.DOUBLED, Kind.LOST, Kind.OUT_OF_ORDER

Spoil = Callable[[Day], None]
SPOILED: dict[str, tuple[Kind, Spoil]] = {}
HARMLESS: dict[str, Spoil] = {}


def red(kind: Kind) -> Callable[[Spoil], Spoil]:
    """A day that was spoiled like this is red, with a finding of this kind."""

    def noted(spoil: Spoil) -> Spoil:
        SPOILED[spoil.__name__] = (kind, spoil)
        return spoil

    return noted


def green(change: Spoil) -> Spoil:
    """A day that went like this is green all the same."""
    HARMLESS[change.__name__] = change
    return change


def verdict_of(day: Day) -> Verdict:
    return judge(day.upstream(), day.crm())


# --- presence --------------------------------------------------------------------------------------------------------


@red(LOST)
def a_case_is_missing(day: Day) -> None:
    del day.cases[UNPUSHED]


@red(LOST)
def the_case_of_a_pushed_report_is_missing(day: Day) -> None:
    del day.cases[PRIVATE]


@red(DOUBLED)
def one_report_has_two_cases(day: Day) -> None:
    day.further_cases.append(CaseScript("CMT-9", day.cases[UNPUSHED].states))


@red(ASTRAY)
def a_report_of_another_municipality_has_a_case(day: Day) -> None:
    state = polled_state(ELSEWHERE, day.reports[ELSEWHERE].versions[0])
    day.further_cases.append(CaseScript("CMT-9", [state]))


@red(ASTRAY)
def a_report_from_before_the_first_day_has_a_case(day: Day) -> None:
    day.further_cases.append(CaseScript("CMT-9", [polled_state(EARLIER, day.reports[EARLIER].versions[0])]))


@red(ASTRAY)
def a_case_is_of_no_report(day: Day) -> None:
    day.further_cases.append(CaseScript("CMT-9", [polled_state(999_999, a_version())]))


@red(ASTRAY)
def a_case_is_of_another_system(day: Day) -> None:
    day.cases[UNPUSHED].everywhere(source={"system": "nova", "id": str(UNPUSHED)})


@green
def what_was_shown_for_a_while_only_has_no_case(day: Day) -> None:
    del day.cases[DELETED], day.cases[REFUSED]


# --- how it stands ---------------------------------------------------------------------------------------------------


@red(LOST)
def the_last_status_did_not_arrive(day: Day) -> None:
    day.cases[FOLLOWED].states.pop()


@red(LOST)
def the_last_category_did_not_arrive(day: Day) -> None:
    day.cases[UNPUSHED].states.pop()


@red(LOST)
def the_last_house_number_did_not_arrive(day: Day) -> None:
    day.reports[UNPUSHED].versions.append(day.reports[UNPUSHED].versions[-1] | {"number": "7"})


@red(LOST)
def the_last_count_of_duplicates_did_not_arrive(day: Day) -> None:
    day.reports[UNPUSHED].versions.append(day.reports[UNPUSHED].versions[-1] | {"duplicates": 3})


@red(LOST)
def the_last_department_did_not_arrive(day: Day) -> None:
    day.reports[REFUSED].versions.append(day.reports[REFUSED].versions[-1] | {"department": 1})


@red(LOST)
def that_a_report_is_gone_did_not_arrive(day: Day) -> None:
    day.cases[DELETED].states.pop()


@red(LOST)
def that_a_report_was_refused_did_not_arrive(day: Day) -> None:
    day.cases[REFUSED].states.pop()


@red(LOST)
def a_report_was_pushed_and_never_followed(day: Day) -> None:
    del day.cases[FOLLOWED].states[1:]


@red(LOST)
def a_second_push_with_another_category_did_not_arrive(day: Day) -> None:
    day.reports[PRIVATE].pushes.append((a_version(category=3040, category_path=[1001, 2072, 3040]), [], True))


@red(LOST)
def the_point_is_elsewhere(day: Day) -> None:
    day.cases[UNPUSHED].last["place"]["point"] = {"lambert72": {"x": 150000.0, "y": 170000.0}}


@red(LOST)
def the_point_is_missing(day: Day) -> None:
    del day.cases[UNPUSHED].last["place"]["point"]


@red(LOST)
def the_postal_code_is_another(day: Day) -> None:
    day.cases[UNPUSHED].last["place"]["address"]["postalCode"] = "1130"


@red(ASTRAY)
def the_municipality_is_another(day: Day) -> None:
    day.cases[UNPUSHED].everywhere(tenant="21009")


@red(ASTRAY)
def the_case_type_is_wrong(day: Day) -> None:
    day.cases[UNPUSHED].everywhere(caseType="lighting")


@red(ASTRAY)
def a_known_category_is_to_be_classified(day: Day) -> None:
    day.cases[UNPUSHED].everywhere(caseType="to-be-classified")


@red(ASTRAY)
def the_language_is_wrong(day: Day) -> None:
    day.cases[FOLLOWED].everywhere(language="nl")


@red(LOST)
def the_language_is_missing(day: Day) -> None:
    day.cases[FOLLOWED].everywhere(language=None)


@red(ASTRAY)
def a_language_was_made_up(day: Day) -> None:
    day.cases[UNPUSHED].everywhere(language="nl")


@red(ASTRAY)
def a_case_is_marked_as_a_test(day: Day) -> None:
    day.cases[UNPUSHED].everywhere(test=True)


@green
def an_unpublished_category_is_told_by_its_parent(day: Day) -> None:
    version = a_version(category=5921, category_path=[1002, 5920, 5921], postal_code="1020")
    state = polled_state(UNPUSHED, version, caseType="to-be-classified")
    state["category"] = {"path": [{"id": "5921"}, {"id": "5920"}]}
    day.reports[UNPUSHED].versions = [version]
    day.cases[UNPUSHED].states = [state]


@green
def a_report_that_left_the_lists_before_they_were_read_is_as_it_was_pushed(day: Day) -> None:
    report, case = day.reports[FOLLOWED], day.cases[FOLLOWED]
    report.versions[-1]["visibility"] = "none"
    del case.states[1:]


@green
def a_report_without_a_point_has_none(day: Day) -> None:
    for version in day.reports[UNPUSHED].versions:
        version["point"] = None
    day.cases[UNPUSHED].everywhere(place={"address": day.cases[UNPUSHED].last["place"]["address"]})


# --- what was said ---------------------------------------------------------------------------------------------------


@red(LOST)
def a_comment_is_missing(day: Day) -> None:
    day.cases[FOLLOWED].notes.clear()


@red(LOST)
def the_description_is_missing(day: Day) -> None:
    day.cases[FOLLOWED].everywhere(description=None)


@red(DOUBLED)
def a_comment_is_there_twice_under_two_keys(day: Day) -> None:
    day.cases[FOLLOWED].notes.append(a_note("k2", LATER_WORDS))


@red(DOUBLED)
def the_description_is_among_the_notes_too(day: Day) -> None:
    day.cases[FOLLOWED].notes.append(a_note("k2", FIRST_WORDS))


@red(ASTRAY)
def a_note_is_in_the_wrong_case(day: Day) -> None:
    day.cases[UNPUSHED].notes.append(day.cases[FOLLOWED].notes[0])


@red(ASTRAY)
def a_note_says_what_nobody_wrote(day: Day) -> None:
    day.cases[FOLLOWED].notes.append(a_note("k2", a_comment("Un mot confidentiel.")))


@red(LOST)
def a_note_has_another_author(day: Day) -> None:
    day.cases[FOLLOWED].notes[0]["author"] = "Noor Untelot"


@red(ASTRAY)
def the_description_is_of_another_report(day: Day) -> None:
    day.cases[UNPUSHED].everywhere(description={"fr": FIRST_WORDS["text"]})


@red(LOST)
def the_reporter_is_missing(day: Day) -> None:
    day.cases[PRIVATE].everywhere(people=[])


@red(ASTRAY)
def the_reporter_is_somebody_else(day: Day) -> None:
    day.cases[PRIVATE].everywhere(people=reporter(name="Noor Untelot"))


@red(DOUBLED)
def the_reporter_is_named_twice(day: Day) -> None:
    day.cases[PRIVATE].everywhere(people=[*reporter(), *reporter()])


@red(LOST)
def a_document_is_missing(day: Day) -> None:
    day.cases[FOLLOWED].attachments.pop()


@red(DOUBLED)
def a_document_is_there_twice(day: Day) -> None:
    day.cases[FOLLOWED].attachments.append(day.cases[FOLLOWED].attachments[0] | {"key": "again"})


@red(ASTRAY)
def a_document_is_of_another_report(day: Day) -> None:
    day.cases[FOLLOWED].attachments.extend(documents_of(UNPUSHED))


@red(ASTRAY)
def the_title_names_the_reporter(day: Day) -> None:
    day.cases[FOLLOWED].last["title"] = {"fr": f"Nid de poule, {PERSON['lastName']}"}


@red(ASTRAY)
def the_title_is_what_the_reporter_wrote(day: Day) -> None:
    day.cases[FOLLOWED].last["title"] = {"fr": FIRST_WORDS["text"]}


@red(ASTRAY)
def a_telephone_number_stands_in_extra(day: Day) -> None:
    day.cases[FOLLOWED].last["extra"] |= {"contact": f"tel {PERSON['phone']}"}


@red(ASTRAY)
def an_e_mail_address_of_whomever_stands_in_extra(day: Day) -> None:
    day.cases[UNPUSHED].last["extra"] |= {"contact": {"emailAddress": "service9100@example.org"}}


@red(ASTRAY)
def a_name_stands_in_a_tag(day: Day) -> None:
    day.cases[FOLLOWED].everywhere(tags=[PERSON["lastName"]])


@green
def what_a_push_without_a_200_said_is_there(day: Day) -> None:
    words = a_comment("Une équipe est passée.", at="12:00:00")
    day.reports[FOLLOWED].pushes.append((day.reports[FOLLOWED].versions[1], [FIRST_WORDS, words], False))
    day.cases[FOLLOWED].notes.append(a_note("k2", words))


@green
def what_a_push_without_a_200_said_is_not_there(day: Day) -> None:
    words = a_comment("Une équipe est passée.", at="12:00:00")
    day.reports[FOLLOWED].pushes.append((day.reports[FOLLOWED].versions[1], [FIRST_WORDS, words], False))


@green
def the_same_push_came_twice(day: Day) -> None:
    before = day.upstream

    def upstream() -> dict[str, Any]:
        account = before()
        return account | {"webhooks": [*account["webhooks"], *account["webhooks"]]}

    day.upstream = upstream  # type: ignore[method-assign]


@green
def a_department_signed_a_comment(day: Day) -> None:
    words = a_comment("Sans suite.", at="12:00:00", name="Coordination")
    day.reports[FOLLOWED].pushes.append((day.reports[FOLLOWED].versions[1], [FIRST_WORDS, LATER_WORDS, words], True))
    day.cases[FOLLOWED].notes.append(a_note("k2", words))
    department = {"id": "9100", "nameFr": "Coordination"}
    day.cases[FOLLOWED].last["extra"] = {"duplicates": 1, "responsibleDepartment": department}


@green
def every_comment_is_a_note(day: Day) -> None:
    day.cases[FOLLOWED].everywhere(description=None)
    day.cases[FOLLOWED].notes.append(a_note("k2", FIRST_WORDS))


# --- in order --------------------------------------------------------------------------------------------------------


@red(OUT_OF_ORDER)
def a_case_goes_back_to_an_older_state(day: Day) -> None:
    states = day.cases[FOLLOWED].states
    states.insert(3, states[1])


@red(OUT_OF_ORDER)
def two_states_come_in_the_wrong_order(day: Day) -> None:
    states = day.cases[FOLLOWED].states
    states[1], states[2] = states[2], states[1]


@red(OUT_OF_ORDER)
def the_older_of_two_pushes_comes_last(day: Day) -> None:
    first, second = a_version(), a_version(category=3040, category_path=[1001, 2072, 3040])
    day.reports[PRIVATE].pushes = [(first, [FIRST_WORDS], True), (second, [FIRST_WORDS], True)]
    said = {"people": reporter(), "language": "nl", "description": {"nl": FIRST_WORDS["text"]}}
    day.cases[PRIVATE].states = [pushed_state(PRIVATE, version, **said) for version in (second, first)]


@red(OUT_OF_ORDER)
def what_the_lists_said_is_taken_back(day: Day) -> None:
    day.cases[FOLLOWED].states.insert(2, day.cases[FOLLOWED].states[0])


@red(OUT_OF_ORDER)
def the_version_stays(day: Day) -> None:
    day.cases[FOLLOWED].versions = [1, 2, 2, 3]


@red(OUT_OF_ORDER)
def the_version_falls(day: Day) -> None:
    day.cases[FOLLOWED].versions = [1, 3, 2, 4]


@red(DOUBLED)
def one_change_was_applied_twice(day: Day) -> None:
    day.cases[FOLLOWED].changes = ["a", "b", "b", "c"]


@red(ASTRAY)
def a_case_showed_a_state_that_never_was(day: Day) -> None:
    case = day.cases[UNPUSHED]
    case.states.insert(1, polled_state(UNPUSHED, day.reports[UNPUSHED].versions[0] | {"public_status": "CLOSED"}))


@red(ASTRAY)
def a_report_that_was_never_away_was_called_removed(day: Day) -> None:
    case = day.cases[UNPUSHED]
    case.states.insert(1, polled_state(UNPUSHED, day.reports[UNPUSHED].versions[0], status="removed"))


@green
def superseding_skipped_all_states_but_the_last(day: Day) -> None:
    del day.cases[FOLLOWED].states[:3]


@green
def versions_have_gaps(day: Day) -> None:
    day.cases[FOLLOWED].versions = [1, 4, 5, 9]


@green
def a_report_is_reopened_and_so_is_its_case(day: Day) -> None:
    report, case = day.reports[FOLLOWED], day.cases[FOLLOWED]
    report.versions.append(report.versions[2])
    case.states.append(polled_state(FOLLOWED, report.versions[2], **_said_in(case)))


@green
def a_report_was_hidden_for_a_while_and_so_was_its_case(day: Day) -> None:
    report, case = day.reports[FOLLOWED], day.cases[FOLLOWED]
    report.versions[2:2] = [report.versions[1] | {"visibility": "none"}, report.versions[1]]
    removed, back = ({**case.states[1], "status": "removed"}, {**case.states[1]})
    case.states[2:2] = [removed, back]


@green
def a_write_changed_nothing_that_is_compared(day: Day) -> None:
    day.cases[FOLLOWED].states.insert(2, {**day.cases[FOLLOWED].states[1], "department": "roads"})


def _said_in(case: CaseScript) -> dict[str, Any]:
    return {name: case.last[name] for name in ("description", "people", "language")}


# --- the verdicts ----------------------------------------------------------------------------------------------------


def test_a_good_day_is_green() -> None:
    verdict = verdict_of(a_good_day())

    assert verdict.findings == ()
    assert verdict.holds


@pytest.mark.parametrize("name", HARMLESS)
def test_green_where(name: str) -> None:
    """Each of these may happen in a day on which Relais did everything right."""
    day = a_good_day()
    HARMLESS[name](day)

    assert [str(finding) for finding in verdict_of(day).findings] == []


@pytest.mark.parametrize("name", SPOILED)
def test_red_where(name: str) -> None:
    """Each of these is found, and called what it is."""
    kind, spoil = SPOILED[name]
    day = a_good_day()
    spoil(day)
    verdict = verdict_of(day)

    assert not verdict.holds
    assert kind in {finding.kind for finding in verdict.findings}, [str(finding) for finding in verdict.findings]


@pytest.mark.parametrize("name", SPOILED)
def test_no_finding_says_anything_personal(name: str) -> None:
    day = a_good_day()
    SPOILED[name][1](day)
    said = " ".join(str(finding) for finding in verdict_of(day).findings)

    for text in (*(text for text in PERSON.values() if len(text) > 7), FIRST_WORDS["text"], LATER_WORDS["text"]):
        assert text not in said


def test_what_is_wrong_with_one_report_is_said_of_that_report_alone() -> None:
    day = a_good_day()
    day.cases[FOLLOWED].notes.clear()

    assert {finding.report for finding in verdict_of(day).findings} == {str(FOLLOWED)}


def test_cases_are_counted_by_type_and_language() -> None:
    verdict = verdict_of(a_good_day())

    assert verdict.cases == 5
    assert verdict.by_type == {"road-surface": {"fr": 1, "-": 3, "nl": 1}}
    assert verdict.liveliest == str(FOLLOWED)


def test_an_empty_day_is_green() -> None:
    assert verdict_of(Day({}, {})).holds
    assert verdict_of(Day({ELSEWHERE: ReportScript(ELSEWHERE, [a_version()], in_crm="no")}, {})).holds
