"""The web application's write sequence, which this stand-in accepts and the real system must never get from us."""

import json
from typing import Any

from mocks.fixmystreet.settings import Settings
from tests.unit.mocks.fixmystreet_bench import TARGET, Bench, a_stand_in

REPORTER = {
    "name": "Noor Verzonnen",
    "actingAs": "RESIDENT",
    "contact": {"emailAddress": "noor@example.org", "phoneNumber": None, "language": {"user": "nl", "address": "nl"}},
}


async def submitted(bench: Bench, **fields: Any) -> Any:
    body = {"coordinates": {"x": 148950, "y": 170650}, "category": 3026, "source": "WEB", "reporter": REPORTER}
    return await bench.client.post("/site/api/incidents", json=body | fields)


async def test_a_report_is_seen_only_once_it_is_acknowledged() -> None:
    async with a_stand_in() as bench:
        report = (await submitted(bench)).json()["response"]["id"]
        before = await bench.client.get(f"/site/api/incidents/{report}")
        acknowledged = await bench.client.put(f"/site/api/incidents/{report}/ack")
        after = await bench.site(f"incidents/{report}")

    assert before.status_code == 404
    assert acknowledged.status_code == 200
    assert after["response"]["status"] == "CREATED"
    assert after["response"]["location"]["address"]["postalCode"] == "1000"


async def test_the_first_comment_travels_with_the_webhook() -> None:
    async with a_stand_in(Settings(backlog=0, target=TARGET)) as bench:
        for _ in range(8):
            report = (await submitted(bench)).json()["response"]["id"]
            attachments = f"/site/api/incidents/{report}/attachments"
            comment = {"content": "Diep gat", "incidentCreation": True, "reporter": REPORTER}
            await bench.client.post(attachments, params={"type": "COMMENT"}, json=comment)
            photograph = await bench.client.post(
                attachments,
                params={"type": "FILE"},
                files={"file": ("hole.jpg", b"\xff\xd8\xff", "image/jpeg"), "caption": (None, "gat")},
            )
            assert photograph.status_code == 200
            await bench.client.put(f"/site/api/incidents/{report}/ack")

    # which department takes a report is a matter of chance, so that not all of them are pushed
    assert bench.city.received
    for request in bench.city.received:
        told = json.loads(request.content)["data"]["report"]
        assert [found["text"] for found in told["comments"]] == ["Diep gat"]
        assert told["creator"]["lastName"] == "Noor Verzonnen"
        assert told["creator"]["language"] == "nl"


async def test_what_cannot_be_read_is_refused() -> None:
    async with a_stand_in() as bench:
        no_leaf = await submitted(bench, category=1001)
        no_place = await submitted(bench, coordinates={})
        report = (await submitted(bench)).json()["response"]["id"]
        attachments = f"/site/api/incidents/{report}/attachments"
        no_file = await bench.client.post(attachments, params={"type": "FILE"}, content=b"")
        no_kind = await bench.client.post(attachments, params={"type": "SONG"}, json={})
        nobody = await bench.client.put("/site/api/incidents/1/ack")

    assert [answer.status_code for answer in (no_leaf, no_place, no_file, no_kind, nobody)] == [400, 400, 400, 400, 404]


async def test_the_address_service_takes_the_latitude_as_x() -> None:
    question = {"language": "nl", "point": {"x": 50.8480, "y": 4.3492}, "SRS_In": 4326}
    async with a_stand_in() as bench:
        found = await bench.client.get("/site/gis/localize/from-xy", params={"json": json.dumps(question)})
        points = await bench.client.get("/site/gis/localize/", params={"address": "Boulevard Anspach 12"})

    assert found.json()["result"]["address"]["street"] == {
        "name": "Anspachlaan",
        "postCode": "1000",
        "municipality": "Brussel",
    }
    assert len(points.json()["result"]) == 1
