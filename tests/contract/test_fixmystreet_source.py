"""Fix My Street keeps what every source promises."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest_asyncio

from connectors.fixmystreet.source import open_source
from connectors.kit.signature import signature_of
from tests.contract.source_contract import GenuinePush, SourceContract, Subject
from tests.unit.fixmystreet.world import NOW, Api, an_incident, some_settings

GOLDEN = Path(__file__).parents[1] / "golden" / "fixmystreet"
PUSHES = ("webhook-transfer-by-a-citizen", "webhook-assignment-by-a-professional", "webhook-wrong-types")


def a_genuine_push(case: str) -> GenuinePush:
    document = json.loads((GOLDEN / case / "given.json").read_text("utf-8"))["body"]
    body = json.dumps(document, ensure_ascii=False).encode()
    return GenuinePush("webhook", {"x-fms-signature": signature_of(body, "signature-key", "sha1")}, body)


class TestFixMyStreet(SourceContract):
    """Over a small API in this process, through the site."""

    @pytest_asyncio.fixture
    async def subject(self) -> AsyncIterator[Subject]:
        api = Api(
            *(an_incident(number) for number in range(1, 6)),
            an_incident(6, status="CLOSED", closedDate="2026-05-19T10:00:00"),
            an_incident(7, postal_code="1020", mergedWith=1, creationDate="2026-05-02T10:00:00"),
        )

        def nobody(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

        async with (
            open_source(some_settings(), lambda: httpx.MockTransport(api), lambda: NOW) as source,
            open_source(some_settings(), lambda: httpx.MockTransport(nobody), lambda: NOW) as out_of_reach,
        ):
            yield Subject(
                source=source,
                out_of_reach=out_of_reach,
                pushes=[a_genuine_push(case) for case in PUSHES],
                secrets=[
                    "Lucie",
                    "lucie.vanhamme@mail.example",
                    "+32 2 555 01 02",
                    "c2lnbmVkLWJ5LXRoZS1zaXRl",
                    "aanrijding",
                ],
            )
