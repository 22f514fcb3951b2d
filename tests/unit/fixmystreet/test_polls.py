"""Reading again and again: nothing missed, nothing read for nothing."""

import json
from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors.fixmystreet.reading import MOST_PAGES
from connectors.kit.errors import ConnectorError, MisconfiguredError, RejectedError, TemporaryError
from connectors.kit.strict_json import parse
from tests.contract.keeper import Keeper, KilledError
from tests.unit.fixmystreet.world import NOW, Api, a_source, an_incident, the_polls


def reports(count: int, **changed: object) -> list[dict[str, object]]:
    return [an_incident(number, **changed) for number in range(1, count + 1)]


# --- the fast rhythm -------------------------------------------------------------------------------------------------


async def test_a_pass_reads_every_page_of_every_municipality() -> None:
    keeper = Keeper()
    api = Api(*reports(5), an_incident(6, postal_code="1020"))
    async with a_source(api) as source:
        await keeper.run(the_polls(source)[0])
    assert keeper.ids == {1, 2, 3, 4, 5, 6}
    assert keeper.cursors["recent"] == {"read_to": "2026-05-20", "head": None, "window": None}


async def test_the_head_is_left_at_the_first_page_without_news() -> None:
    keeper = Keeper()
    api = Api(*reports(9))
    async with a_source(api, municipalities=("1000",)) as source:
        recent, _ = the_polls(source)
        await keeper.run(recent)
        api.asked.clear()
        await keeper.run(recent)
    head = [path for path in api.paths() if "startDate" not in path]
    assert head == ["/incidents?page=0&size=2&municipality=1000"]


async def test_the_head_is_not_the_whole_listing() -> None:
    keeper = Keeper()
    api = Api(*reports(40))
    async with a_source(api, municipalities=("1000",)) as source:
        await keeper.run(the_polls(source)[0])
    assert len([path for path in api.paths() if path.startswith("/incidents") and "startDate" not in path]) == 5


async def test_the_head_finds_what_changed_in_an_old_report() -> None:
    keeper = Keeper()
    api = Api(an_incident(1, creationDate="2026-05-02T10:00:00", status="PROCESSING"))
    async with a_source(api) as source:
        await keeper.run(the_polls(source)[0])
    assert keeper.ids == {1}


@pytest.mark.parametrize(
    ("cursor", "start"),
    [
        (None, "2026-05-17"),
        ({"read_to": "2026-05-20", "window": None}, "2026-05-17"),
        ({"read_to": "2026-05-12", "window": None}, "2026-05-11"),
        ({"read_to": "2026-04-12", "window": None}, "2026-05-01"),
        ({"read_to": "not a day"}, "2026-05-17"),
        ({"of": "another release"}, "2026-05-17"),
    ],
)
async def test_the_window_reaches_back_to_the_last_complete_pass_and_never_before_since(
    cursor: dict[str, object] | None, start: str
) -> None:
    keeper = Keeper()
    if cursor:
        keeper.cursors["recent"] = cursor
    api = Api()
    async with a_source(api, municipalities=("1000",)) as source:
        await keeper.run(the_polls(source)[0])
    assert api.paths()[-1] == f"/incidents?page=0&size=2&municipality=1000&startDate={start}&endDate=2026-05-21"


async def test_a_pass_that_was_killed_goes_on_where_it_was() -> None:
    keeper = Keeper()
    api = Api(*reports(20))
    async with a_source(api, municipalities=("1000",)) as source:
        recent, _ = the_polls(source)
        keeper.dies_after = 14  # the catalogue, five pages of the head, eight of the window
        with pytest.raises(KilledError):
            await keeper.run(recent)
        keeper.dies_after = None
        api.asked.clear()
        await keeper.run(recent)
    windows = [int(request.url.params["page"]) for request in api.asked if "startDate" in request.url.params]
    assert windows == [7, 8, 9]
    assert len(keeper.ids) == 20
    assert keeper.cursors["recent"] == {"read_to": "2026-05-20", "head": None, "window": None}


async def test_news_behind_the_page_of_a_kill_is_still_read() -> None:
    keeper = Keeper()
    api = Api(*reports(8, creationDate="2026-05-02T10:00:00"))
    async with a_source(api, municipalities=("1000",)) as source:
        recent, _ = the_polls(source)
        keeper.dies_after = 3  # the catalogue and two pages of the head
        with pytest.raises(KilledError):
            await keeper.run(recent)
        keeper.dies_after = None
        await keeper.run(recent)
    assert len(keeper.ids) == 8


async def test_a_kill_at_any_page_loses_nothing() -> None:
    for page in range(14):
        keeper = Keeper()
        api = Api(*reports(7), *(an_incident(number, postal_code="1020") for number in (8, 9, 10)))
        async with a_source(api) as source:
            recent, sweep = the_polls(source)
            for poll in (recent, sweep):
                keeper.dies_after = len(keeper.pages) + page
                try:
                    await keeper.run(poll)
                except KilledError:
                    keeper.dies_after = None
                    await keeper.run(poll)
        assert len(keeper.ids) == 10


async def test_reports_of_the_same_second_are_all_seen_however_late_they_are_listed() -> None:
    keeper = Keeper()
    api = Api(an_incident(1))
    async with a_source(api) as source:
        recent, _ = the_polls(source)
        await keeper.run(recent)
        api.incidents.append(an_incident(2))  # listed after the pass, with the times of the first
        await keeper.run(recent)
    assert keeper.ids == {1, 2}


async def test_reports_of_others_and_of_before_are_not_kept_even_if_the_filters_fail() -> None:
    api = Api()
    everything = [
        an_incident(1),
        an_incident(2, postal_code="1080"),
        an_incident(3, creationDate="2026-04-30T23:59:59"),
        an_incident(4, creationDate="2026-05-01T00:00:00"),
        an_incident(5, postal_code=None),
    ]
    api.answers["/incidents"] = httpx.Response(
        200, json={"_embedded": {"response": everything}, "page": {"totalPages": 1}}
    )
    keeper = Keeper()
    async with a_source(api) as source:
        for poll in the_polls(source):
            await keeper.run(poll)
    assert keeper.ids == {1, 4, 5}


@pytest.mark.parametrize("ignores_the_page", [False, True])
async def test_a_server_that_does_not_count_its_pages_is_read_to_its_end(ignores_the_page: bool) -> None:
    keeper = Keeper()
    api = Api(*reports(5))
    api.counts_pages = False
    if ignores_the_page:
        api.answers["/incidents"] = httpx.Response(200, json={"_embedded": {"response": reports(5)}})
    async with a_source(api, municipalities=("1000",)) as source:
        await keeper.run(the_polls(source)[1])
    assert keeper.ids == {1, 2, 3, 4, 5}
    assert len(api.asked) < 20


async def test_an_incident_without_a_number_is_told_and_does_not_hold_back_the_others() -> None:
    keeper = Keeper()
    api = Api(an_incident(1), an_incident(0))
    async with a_source(api) as source:
        with pytest.raises(TemporaryError, match="without a number"):
            await keeper.run(the_polls(source)[0])
    assert keeper.ids == {1}
    assert keeper.cursors["recent"]["read_to"] == "2026-05-20"


def numbered_by_page(request: httpx.Request) -> list[dict[str, object]]:
    first = 2 * int(request.url.params.get("page", 0))
    return [an_incident(first + 1), an_incident(first + 2)]


@pytest.mark.parametrize("pages", [None, 0, 1_000_000_000])
async def test_a_server_that_repeats_itself_is_left_however_many_pages_it_claims(pages: int | None) -> None:
    keeper = Keeper()
    api = Api()
    api.answers["/incidents"] = httpx.Response(
        200, json={"_embedded": {"response": reports(2)}, "page": {"totalPages": pages}}
    )
    async with a_source(api, municipalities=("1000",), sweep_slice_days=31) as source:
        await keeper.run(the_polls(source)[1])
    assert keeper.ids == {1, 2}
    assert keeper.pages[-1].sweep_complete
    assert len(api.asked) <= 6


@pytest.mark.parametrize("counts_pages", [False, True])
async def test_a_list_without_end_is_left_and_told_and_not_called_complete(counts_pages: bool) -> None:
    api = Api()

    def endless(request: httpx.Request) -> None:
        page = {"totalPages": int(request.url.params.get("page", 0)) + 2} if counts_pages else {}
        document = {"_embedded": {"response": numbered_by_page(request)}, "page": page}
        api.answers["/incidents"] = httpx.Response(200, json=document)

    api.before_answer = endless
    async with a_source(api, municipalities=("1000",), sweep_slice_days=31) as source:
        recent, sweep = the_polls(source)
        plan = {"since": "2026-05-01", "municipalities": ["1000"], "slice_days": 31}
        position: dict[str, Any] = {"municipality": "1000", "start": "2026-05-01", "page": MOST_PAGES - 2}
        cursors: dict[str, dict[str, Any]] = {
            "recent": {"window": position | {"day": "2026-05-20"}},
            "sweep": position | {"sweep": 1, "plan": plan, "until": "2026-05-20"},
        }
        for poll in (recent, sweep):
            keeper = Keeper()
            keeper.cursors = {poll.name: cursors[poll.name]}
            for _ in range(2):
                with pytest.raises(TemporaryError) as told:
                    await keeper.run(poll)
                assert told.value.code == "endless_listing"
            assert keeper.ids >= {2 * MOST_PAGES - 1, 2 * MOST_PAGES}
            assert not [page for page in keeper.pages if page.sweep_complete]
            assert not keeper.cursors[poll.name].get("read_to")


async def test_what_a_whole_page_of_news_pushes_back_is_still_read() -> None:
    keeper = Keeper()
    api = Api(*reports(6))

    def a_page_of_news(request: httpx.Request) -> None:
        if request.url.params.get("page") == "1" and len(api.incidents) == 6:
            api.incidents[:0] = [an_incident(7), an_incident(8)]

    api.before_answer = a_page_of_news
    async with a_source(api, municipalities=("1000",), sweep_slice_days=31) as source:
        await keeper.run(the_polls(source)[1])
    assert keeper.ids == {1, 2, 3, 4, 5, 6, 7, 8}
    assert keeper.pages[-1].sweep_complete


async def test_a_page_of_others_does_not_end_a_listing() -> None:
    keeper = Keeper()
    api = Api()
    others = [an_incident(number, creationDate="2026-04-01T10:00:00") for number in range(1, 7)]
    everything = [*others, an_incident(7)]

    def unfiltered(request: httpx.Request) -> None:
        first = 2 * int(request.url.params.get("page", 0))
        part = everything[first : first + 2]
        api.answers["/incidents"] = httpx.Response(
            200, json={"_embedded": {"response": part}} if part else {"page": {}}
        )

    api.before_answer = unfiltered
    async with a_source(api, municipalities=("1000",), sweep_slice_days=31) as source:
        await keeper.run(the_polls(source)[1])
    assert keeper.ids == {7}


FAULTS = {
    "NUL": '"a\\u0000b"',
    "half a surrogate pair": '"\\ud83d"',
    "a key twice": '"CREATED", "status": "CLOSED"',
    "too deep": "[" * 40 + "]" * 40,
    "a number too long": "9" * 101,
    "not a number": "NaN",
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_an_unsound_incident_is_mended_and_holds_no_other_back(fault: str) -> None:
    keeper = Keeper()
    api = Api(an_incident(1), an_incident(2, status="FAULT"), an_incident(3))
    sound = json.dumps({"_embedded": {"response": api.incidents}, "page": {"totalPages": 1}})
    api.answers["/incidents"] = httpx.Response(200, content=sound.replace('"FAULT"', fault))
    api.answers["/incidents/2"] = httpx.Response(200, content=json.dumps(api.incidents[1]).replace('"FAULT"', fault))
    async with a_source(api, municipalities=("1000",)) as source:
        for poll in the_polls(source):
            await keeper.run(poll)
        look = await the_polls(source)[0].look_again(["2"])
    first, unsound, third = keeper.pages[1].observations
    assert [json.loads(seen.body) for seen in (first, third)] == [api.incidents[0], api.incidents[2]]
    assert parse(unsound.body)["id"] == 2
    assert [seen.content for seen in look.present] == [unsound.content]
    assert parse(look.present[0].body)["id"] == 2


# --- the catalogue ---------------------------------------------------------------------------------------------------


async def test_the_catalogue_is_handed_over_once_a_day() -> None:
    keeper = Keeper()
    api = Api()
    moment = [NOW]
    async with a_source(api, now=lambda: moment[0]) as source:
        recent, _ = the_polls(source)
        for hours in (0, 1, 23, 25):
            moment[0] = NOW + timedelta(hours=hours)
            await keeper.run(recent)
    catalogues = [page.catalogue for page in keeper.pages if page.catalogue]
    assert len(catalogues) == 2
    assert json.loads(catalogues[0]) == api.categories


@pytest.mark.parametrize(
    "answer", [httpx.Response(500), httpx.Response(404), httpx.Response(200, json={"response": {"categories": []}})]
)
async def test_a_missing_catalogue_is_told_hourly_and_holds_no_report_back(answer: httpx.Response) -> None:
    keeper = Keeper()
    api = Api(an_incident(1))
    api.answers["/categories"] = answer
    moment = [NOW]
    async with a_source(api, now=lambda: moment[0]) as source:
        recent, _ = the_polls(source)
        with pytest.raises(ConnectorError):
            await keeper.run(recent)
        assert keeper.ids == {1}
        moment[0] += timedelta(minutes=30)
        await keeper.run(recent)
        moment[0] += timedelta(minutes=31)
        with pytest.raises(ConnectorError):
            await keeper.run(recent)


# --- the slow rhythm -------------------------------------------------------------------------------------------------


async def test_a_sweep_covers_every_day_since_the_first_and_says_when_it_is_complete() -> None:
    keeper = Keeper()
    days = [date(2026, 5, 1) + timedelta(days=offset) for offset in range(20)]
    api = Api(*(an_incident(day.day, creationDate=f"{day}T23:59:59") for day in days))
    async with a_source(api, sweep_slice_days=6) as source:
        await keeper.run(the_polls(source)[1])
    assert keeper.ids == set(range(1, 21))
    assert {page.sweep for page in keeper.pages} == {1}
    assert [page.sweep_complete for page in keeper.pages] == [False] * (len(keeper.pages) - 1) + [True]


async def test_no_day_falls_between_two_slices_whether_or_not_the_last_day_counts() -> None:
    keeper = Keeper()
    api = Api()
    async with a_source(api, sweep_slice_days=6, municipalities=("1000",)) as source:
        await keeper.run(the_polls(source)[1])
    days = [(request.url.params["startDate"], request.url.params["endDate"]) for request in api.asked]
    assert days == [
        ("2026-05-01", "2026-05-07"),
        ("2026-05-07", "2026-05-13"),
        ("2026-05-13", "2026-05-19"),
        ("2026-05-19", "2026-05-21"),
    ]


async def test_sweeps_are_numbered() -> None:
    keeper = Keeper()
    async with a_source(Api()) as source:
        for _ in range(3):
            await keeper.run(the_polls(source)[1])
    assert [page.sweep for page in keeper.pages if page.sweep_complete] == [1, 2, 3]


async def test_a_sweep_that_was_killed_goes_on_where_it_was_under_the_same_number() -> None:
    keeper = Keeper()
    api = Api(*reports(9))
    async with a_source(api, sweep_slice_days=31, municipalities=("1000",)) as source:
        _, sweep = the_polls(source)
        keeper.dies_after = 3
        with pytest.raises(KilledError):
            await keeper.run(sweep)
        keeper.dies_after = None
        api.asked.clear()
        await keeper.run(sweep)
    assert [int(request.url.params["page"]) for request in api.asked] == [2, 3, 4]
    assert [(page.sweep, page.sweep_complete) for page in keeper.pages[-2:]] == [(1, False), (1, True)]
    assert len(keeper.ids) == 9


async def test_a_sweep_with_other_settings_is_another_sweep() -> None:
    keeper = Keeper()
    api = Api(*reports(9))
    async with a_source(api) as source:
        keeper.dies_after = 3
        with pytest.raises(KilledError):
            await keeper.run(the_polls(source)[1])
    keeper.dies_after = None
    async with a_source(api, municipalities=("1000", "1020", "1120")) as source:
        await keeper.run(the_polls(source)[1])
    assert [page.sweep for page in keeper.pages if page.sweep_complete] == [2]


async def test_a_report_that_slips_a_page_back_while_the_slice_shrinks_is_seen() -> None:
    keeper = Keeper()
    api = Api(*reports(5))

    def the_first_two_leave(request: httpx.Request) -> None:
        if request.url.params.get("page") == "1" and len(api.incidents) == 5:
            del api.incidents[:2]

    api.before_answer = the_first_two_leave
    async with a_source(api, municipalities=("1000",), sweep_slice_days=31) as source:
        await keeper.run(the_polls(source)[1])
    assert keeper.ids == {1, 2, 3, 4, 5}
    assert [page.sweep_complete for page in keeper.pages][-1] is True


async def test_a_report_that_slips_while_the_poll_is_down_is_seen() -> None:
    keeper = Keeper()
    api = Api(*reports(6))
    async with a_source(api, municipalities=("1000",), sweep_slice_days=31) as source:
        _, sweep = the_polls(source)
        keeper.dies_after = 2
        with pytest.raises(KilledError):
            await keeper.run(sweep)
        del api.incidents[:4]
        keeper.dies_after = None
        await keeper.run(sweep)
    assert keeper.ids >= {5, 6}


async def test_a_listing_that_never_stops_shrinking_is_left_in_the_end() -> None:
    keeper = Keeper()
    api = Api(*reports(200))
    api.before_answer = lambda request: api.incidents.__delitem__(-1)
    async with a_source(api, municipalities=("1000",), sweep_slice_days=31) as source:
        await keeper.run(the_polls(source)[1])
    assert keeper.pages[-1].sweep_complete


async def test_since_tomorrow_asks_for_nothing() -> None:
    keeper = Keeper()
    api = Api(*reports(3))
    async with a_source(api, since=date(2026, 6, 1)) as source:
        for poll in the_polls(source):
            await keeper.run(poll)
    assert not keeper.ids
    assert not [path for path in api.paths() if "startDate" in path]


# --- the second look -------------------------------------------------------------------------------------------------


async def test_a_second_look_tells_those_that_are_there_from_those_that_are_gone() -> None:
    api = Api(an_incident(1), an_incident(2, mergedWith=1))
    api.answers["/incidents/4"] = httpx.Response(410)
    api.answers["/incidents/5"] = httpx.Response(400)
    async with a_source(api) as source:
        look = await the_polls(source)[1].look_again(["1", "2", "3", "4", "5"])
    assert [seen.external_id for seen in look.present] == ["1", "2"]
    assert json.loads(look.present[1].body)["mergedWith"] == 1
    assert look.absent == ["3", "4"]


async def test_another_report_than_the_one_asked_for_is_not_believed() -> None:
    api = Api(an_incident(1))
    api.answers["/incidents/2"] = httpx.Response(200, json={"response": an_incident(1)})
    api.answers["/incidents/3"] = httpx.Response(200, json={"response": an_incident(0)})
    async with a_source(api) as source:
        look = await the_polls(source)[1].look_again(["1", "2", "3"])
    assert [seen.external_id for seen in look.present] == ["1"]
    assert look.absent == ["2"]


@pytest.mark.parametrize(("status", "error"), [(403, MisconfiguredError), (500, TemporaryError), (301, ConnectorError)])
async def test_a_door_that_is_shut_does_not_make_a_report_gone(status: int, error: type[ConnectorError]) -> None:
    api = Api()
    api.answers["/incidents/1"] = httpx.Response(status)
    async with a_source(api) as source:
        with pytest.raises(error):
            await the_polls(source)[1].look_again(["1"])


@pytest.mark.parametrize(
    ("closed", "settled"),
    [(None, False), ("2026-05-19T10:00:00", False), ("2026-04-23T10:00:00", False), ("2026-04-21T10:00:00", True)],
)
async def test_a_report_is_settled_before_it_drops_out_of_the_listing(closed: str | None, settled: bool) -> None:
    api = Api(an_incident(1, closedDate=closed))
    async with a_source(api) as source:
        look = await the_polls(source)[0].look_again(["1"])
    assert look.present[0].settled is settled


async def test_what_is_gone_is_said_with_what_was_last_seen_of_it() -> None:
    async with a_source(Api()) as source:
        poll = the_polls(source)[1]
        first = poll.gone("7", json.dumps(an_incident(7)).encode())
        again = poll.gone("7", first.body)
        never = poll.gone("7", None)
    assert first.case_key == "fixmystreet:7"
    assert first.settled
    assert again.body == first.body
    assert {first.content, again.content, never.content} == {'{"gone":true}'}


@pytest.mark.parametrize(
    "document", [{"relais": {"gone": True}}, {"relais": 1, "incident": {"id": 0}}, {"response": 1}]
)
async def test_what_names_no_report_is_not_read_back(document: object) -> None:
    async with a_source(Api()) as source:
        assert the_polls(source)[0].recorded(document) is None


# --- manners ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"), [(401, MisconfiguredError), (429, TemporaryError), (400, RejectedError), (502, TemporaryError)]
)
async def test_an_error_ends_the_run_and_what_was_kept_stays_kept(status: int, error: type[ConnectorError]) -> None:
    keeper = Keeper()
    api = Api(*reports(5))
    async with a_source(api, municipalities=("1000",)) as source:
        _, sweep = the_polls(source)

        def fails_later(request: httpx.Request) -> None:
            if request.url.params.get("page") == "1":
                api.answers["/incidents"] = httpx.Response(status)

        api.before_answer = fails_later
        with pytest.raises(error):
            await keeper.run(sweep)
    assert keeper.pages


async def test_polls_keep_their_own_rhythm_and_share_a_door() -> None:
    async with a_source(Api(), recent_every=timedelta(seconds=30), sweep_every=timedelta(hours=6)) as source:
        assert [(poll.name, poll.door, poll.every) for poll in source.polls] == [
            ("recent", "incidents", timedelta(seconds=30)),
            ("sweep", "incidents", timedelta(hours=6)),
        ]


async def test_the_day_is_the_one_in_brussels() -> None:
    keeper = Keeper()
    api = Api()
    late = datetime.fromisoformat("2026-05-20T22:30:00+00:00")
    async with a_source(api, now=lambda: late) as source:
        await keeper.run(the_polls(source)[0])
    assert keeper.cursors["recent"]["read_to"] == "2026-05-21"
