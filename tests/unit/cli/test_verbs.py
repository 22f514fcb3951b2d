"""Each verb answers in words and exit codes, never with a traceback, and shows nobody's data unasked."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from relais.cli.main import app
from relais.delivery.state import CaseState, DoorView
from relais.ledger.database import open_database
from relais.ledger.ledger import Ledger, open_ledger
from schemas.case import CaseFacts, Category, Kind
from schemas.text import Localised
from tests.builders import a_decision, an_arrival
from tests.unit.operations.world import a_push, a_sighting, written

SECRET = "Lucie"
SETTINGS = {
    "RELAIS_FIXMYSTREET_ACCESS": "site",
    "RELAIS_FIXMYSTREET_BASE_URL": "http://127.0.0.1:1",
    "RELAIS_FIXMYSTREET_WEBHOOK_SIGNATURE_KEY": "signature-key",
    "RELAIS_FIXMYSTREET_SINCE": "2026-01-01",
    "RELAIS_FIXMYSTREET_MUNICIPALITIES": "1000",
    "RELAIS_CRM_CMT_BASE_URL": "http://127.0.0.1:1",
    "RELAIS_CRM_CMT_TOKEN": "hidden-token",
}

Relais = Callable[..., Result]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def relais(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> Relais:
    """The command with sound settings and no ledger yet."""
    for name in [name for name in os.environ if name.startswith("RELAIS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for name, value in (SETTINGS | {"RELAIS_LEDGER_URL": url}).items():
        monkeypatch.setenv(name, value)

    def run(*words: object) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
def day(tmp_path: Path) -> Path:
    return written(tmp_path / "day.jsonl", a_push(1), a_sighting(1), a_sighting(2))


def in_ledger(url: str, work: Callable[[Ledger], Any]) -> Any:
    """Do something in the ledger behind the command's back."""

    async def run() -> Any:
        async with open_ledger(url, masked=lambda body: body) as ledger:
            return await work(ledger)

    return asyncio.run(run())


def pause(url: str) -> None:
    in_ledger(url, lambda ledger: ledger.sinks.pause("crm_cmt", "the token is refused"))


def park(url: str) -> None:
    """Accept an event that names no case."""
    in_ledger(url, lambda ledger: ledger.acceptance.accept([an_arrival(case_key=None, trouble="no number")]))


def audited(url: str) -> list[tuple[str, str]]:
    async def read() -> list[tuple[str, str]]:
        database = open_database(url)
        try:
            async with database.reading() as transaction:
                rows = await transaction.rows(text("SELECT action, subject FROM audit ORDER BY id"))
        finally:
            await database.close()
        return [(row.action, row.subject) for row in rows]

    return asyncio.run(read())


def test_the_version_is_said(relais: Relais) -> None:
    result = relais("--version")
    assert (result.exit_code, result.stdout.startswith("relais ")) == (0, True)


@pytest.mark.parametrize(
    "words", [("parked",), ("retry", "1"), ("resume",), ("show", "x:1"), ("replay", "day.jsonl")], ids=lambda w: w[0]
)
def test_a_ledger_that_is_not_there_is_one_line_and_is_not_made(
    relais: Relais, day: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    result = relais(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        result.stderr == f"there is no ledger at {tmp_path / 'ledger.db'} yet: run 'relais migrate' or 'relais run'\n"
    )
    assert not (tmp_path / "ledger.db").exists()


@pytest.mark.parametrize("words", [("parked",), ("show", "x:1"), ("migrate",)], ids=lambda words: words[0])
def test_a_ledger_that_is_away_is_one_line_without_its_password(
    relais: Relais, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("RELAIS_LEDGER_URL", "postgresql://relais:hidden@127.0.0.1:1/relais")
    result = relais(*words)
    assert result.exit_code == 1
    assert "the ledger cannot be reached" in result.stderr
    assert "hidden" not in result.output


def test_a_ledger_of_a_later_release_is_one_line(relais: Relais, url: str) -> None:
    relais("migrate")

    async def age(ledger: Ledger) -> None:
        async with ledger.database.writing() as transaction:
            await transaction.run(text("UPDATE alembic_version SET version_num = '9999'"))

    in_ledger(url, age)
    for words in (("parked",), ("migrate",)):
        result = relais(*words)
        assert result.exit_code == 1
        assert "9999" in result.stderr


@pytest.mark.parametrize("verb", ["parked", "show", "replay", "migrate"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("RELAIS_LEDGER_URL", "hidden-address"), ("RELAIS_LEDGER_URL", "postgresql://h:hidden/x")],
)
def test_settings_that_cannot_be_used_name_their_variable_and_end_with_2(
    relais: Relais, monkeypatch: pytest.MonkeyPatch, verb: str, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    result = relais(verb, *(["x"] if verb in ("show", "replay") else []))
    assert result.exit_code == 2
    assert name in result.stderr
    assert "hidden" not in result.output


@pytest.mark.parametrize(
    "words", [("parked",), ("retry", "1"), ("resume",), ("migrate",), ("show", "x:1")], ids=lambda words: words[0]
)
def test_no_verb_touches_the_usual_ledger_because_the_name_of_another_was_misspelt(
    relais: Relais, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...]
) -> None:
    monkeypatch.delenv("RELAIS_LEDGER_URL")
    monkeypatch.setenv("RELAIS_LEDGER_UR", "postgresql://hidden")
    result = relais(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "RELAIS_LEDGER_UR: no such setting; did you mean RELAIS_LEDGER_URL?\n"
    assert list(tmp_path.iterdir()) == []


def test_check_has_a_line_each_and_fails_when_anything_is_wrong(relais: Relais) -> None:
    relais("migrate")
    result = relais("check")
    lines = {line.split()[1]: line.split()[0] for line in result.stdout.splitlines()}
    assert lines == {
        "settings": "ok",
        "rules": "ok",
        "ledger": "ok",
        "audit": "ok",
        "broker": "ok",
        "source": "FAULT",
        "sink": "FAULT",
    }
    assert result.exit_code == 1
    assert "hidden" not in result.output


def test_check_as_json_is_one_object(relais: Relais) -> None:
    document = json.loads(relais("check", "--json").stdout)
    assert document["ok"] is False
    assert {"name": "settings", "ok": True, "detail": "complete"} in document["results"]


def test_a_replay_counts_and_the_second_does_nothing(relais: Relais, day: Path) -> None:
    relais("migrate")
    first, again = relais("replay", day), relais("replay", day)
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert first.stdout.split()[:4] == ["outcome", "events", "new", "3"]
    assert again.stdout.split()[:6] == ["outcome", "events", "new", "0", "same", "3"]


def test_a_replay_with_a_bad_file_plays_the_others_and_fails(relais: Relais, day: Path, tmp_path: Path) -> None:
    relais("migrate")
    (tmp_path / "bad.json").write_text("{", "utf-8")
    result = relais("replay", "bad.json", "missing.json", day)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "missing.json: no such file or folder",
        "bad.json: not JSON at character 1",
    ]
    assert "new         3" in result.stdout


def test_a_rehearsal_has_a_line_for_each_event_and_writes_nothing(relais: Relais, day: Path) -> None:
    relais("migrate")
    result = relais("replay", day, "--dry-run")
    assert f"{day}:2: new  fixmystreet:1  " in result.stdout
    assert "street-furniture" in result.stdout
    assert result.stdout.endswith("nothing was written\n")
    assert SECRET not in result.output
    assert relais("show", "fixmystreet:1").exit_code == 1


def test_as_new_says_its_token_and_plays_again_under_it(relais: Relais, day: Path) -> None:
    relais("migrate")
    result = relais("replay", day, "--as-new")
    token = result.stdout.split("--run ")[1].split()[0]
    assert "same        3" in relais("replay", day, "--run", token).stdout
    assert relais("show", f"fixmystreet:test-{token}-1").exit_code == 0


def test_a_token_that_is_none_is_refused(relais: Relais, day: Path) -> None:
    assert relais("replay", day, "--run", "../x").exit_code == 2


def test_show_tells_the_story_without_personal_data(relais: Relais, day: Path, url: str) -> None:
    relais("migrate")
    relais("replay", day)
    for words in (("show", "fixmystreet:1"), ("show", "fixmystreet-1"), ("show", "fixmystreet:1", "--json")):
        result = relais(*words)
        assert result.exit_code == 0
        assert "transfer.request:1:2026-05-04T10:11:12" in result.stdout
        assert SECRET not in result.output
    assert audited(url) == []


def test_show_with_personal_data_shows_the_bodies_and_is_audited(relais: Relais, day: Path, url: str) -> None:
    relais("migrate")
    relais("replay", day)
    assert SECRET in relais("show", "fixmystreet:1", "--personal").stdout
    document = json.loads(relais("show", "fixmystreet:1", "--personal", "--json").stdout)
    assert SECRET in document["events"][0]["body"]
    assert audited(url) == [("show personal data", "fixmystreet:1")] * 2


@pytest.mark.parametrize("name", ["1", "#1"])
def test_show_takes_an_event_by_its_number_also_one_that_names_no_case(relais: Relais, url: str, name: str) -> None:
    relais("migrate")
    park(url)
    said = relais("show", name).stdout
    assert "it names no case" in said
    assert "no number [unreadable]" in said
    assert "body" not in said
    assert audited(url) == []

    assert "body of event 1" in relais("show", name, "--personal").stdout
    assert json.loads(relais("show", name, "--personal", "--json").stdout)["event"]["body"] is not None
    assert audited(url) == [("show personal data", "event 1")] * 2


def test_an_event_that_is_not_there_is_one_line(relais: Relais) -> None:
    relais("migrate")
    result = relais("show", "#404")
    assert (result.exit_code, result.stderr) == (1, "there is no event 404\n")


def test_why_is_asked_of_a_case_and_not_of_an_event(relais: Relais) -> None:
    relais("migrate")
    assert relais("show", "1", "--why").exit_code == 2


def test_show_has_the_category_path_and_why_the_rules_decide_as_they_do(relais: Relais, day: Path, url: str) -> None:
    relais("migrate")
    relais("replay", day)
    category = Category(id="3407", label=Localised(fr="Banc", nl="Bank"))
    facts = CaseFacts(category=(Category(id="3"), category))
    views = {"incidents": DoorView(facts=facts)}
    state = CaseState(
        source="fixmystreet", kind=Kind.REPORT, views=views, decision=a_decision(rule="an-old-one"), routed_by=""
    )

    async def delivered(ledger: Ledger) -> None:
        async with ledger.database.writing() as transaction:
            await transaction.run(text("UPDATE cases SET state = :state"), {"state": state.model_dump_json()})

    in_ledger(url, delivered)
    lines = relais("show", "fixmystreet:2", "--why").stdout.splitlines()
    assert "category    3 › 3407 Banc / Bank" in lines
    assert any(line.startswith("  = ") and line.endswith(": matches") for line in lines)
    assert lines[-1].startswith("it keeps what an-old-one decided")
    assert "why" not in relais("show", "fixmystreet:2").stdout.splitlines()


def test_what_could_steer_a_terminal_is_shown_as_what_it_is(relais: Relais, tmp_path: Path) -> None:
    relais("migrate")
    relais("replay", written(tmp_path / "one.json", a_push(1, complements="\x1b[2J\x9b2J")))
    assert "\x9b" not in relais("show", "fixmystreet:1", "--personal").stdout


def test_a_case_that_nobody_knows_is_one_line(relais: Relais) -> None:
    relais("migrate")
    result = relais("show", "fixmystreet:404")
    assert (result.exit_code, result.stderr) == (1, "no case is called fixmystreet:404\n")


def test_parked_lists_by_cause_and_paused_sinks(relais: Relais, url: str) -> None:
    relais("migrate")
    assert relais("parked").stdout == "no event is parked\n"
    park(url)
    pause(url)
    result = relais("parked")
    assert "we could not read it [unreadable]: 1" in result.stdout
    assert "crm_cmt is paused: the token is refused; then 'relais resume crm_cmt'" in result.stdout
    document = json.loads(relais("parked", "--json").stdout)
    assert document["parked"] == 1
    assert document["groups"][0]["cause"] == "we could not read it"
    assert document["paused"] == [{"name": "crm_cmt", "reason": "the token is refused"}]


def test_retry_answers_for_each_event(relais: Relais, url: str) -> None:
    relais("migrate")
    park(url)
    result = relais("retry", "1", "2")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "event 1: it names no case, so there is nowhere to deliver it: it cannot be retried yet",
        "event 2: there is no such event",
    ]


def test_retry_by_a_code_that_nothing_is_parked_with_says_so(relais: Relais) -> None:
    relais("migrate")
    result = relais("retry", "--code", "nothing")
    assert (result.exit_code, result.stderr) == (1, "no event is parked as nothing\n")


@pytest.mark.parametrize("words", [("retry",), ("retry", "1", "--code", "x")])
def test_retry_wants_either_events_or_a_code(relais: Relais, words: tuple[str, ...]) -> None:
    assert relais(*words).exit_code == 2


def test_resume_lists_resumes_and_refuses(relais: Relais, url: str) -> None:
    relais("migrate")
    pause(url)
    assert relais("resume").stdout == "crm_cmt: the token is refused\n"
    assert relais("resume", "crm_cmt").stdout == "crm_cmt is delivered to again\n"
    assert relais("resume", "crm_cmt").stdout == "crm_cmt was not paused\n"
    unknown = relais("resume", "crm")
    assert (unknown.exit_code, unknown.stderr) == (1, "no sink is called crm; configured are: crm_cmt\n")
    assert audited(url) == [("resume sink", "crm_cmt")]
