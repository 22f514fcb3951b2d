"""The write sequence of the web application, accepted here and nowhere else: locate, create, attach, acknowledge."""

import json
import random
from datetime import datetime
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from pyproj import Transformer
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mocks.fixmystreet.doors import SITE_BASE, problem
from mocks.fixmystreet.invent import dispatched_to
from mocks.fixmystreet.operator import Operator
from mocks.fixmystreet.places import CITY_CRM, MUNICIPALITIES, Street, known_streets
from mocks.fixmystreet.play import OpenClient
from mocks.fixmystreet.records import Address, Comment, Creator, Report, Status
from mocks.fixmystreet.webhooks import WebhookSender
from mocks.fixmystreet.world import World

GIS_BASE = "/site/gis/localize"
_LANGUAGES = ("fr", "nl", "en")


class Submission:
    """What a citizen's browser calls, in its order; a report that is not acknowledged is seen by nobody."""

    def __init__(self, world: World, open_client: OpenClient) -> None:
        self._world = world
        self._open_client = open_client
        self._to_lambert = Transformer.from_crs(4326, 31370)

    def routes(self) -> list[Route]:
        """Its paths on the site's door."""
        incidents = f"{SITE_BASE}/incidents"
        return [
            Route(f"{GIS_BASE}/from-xy", self._address_at, methods=["GET"]),
            Route(f"{GIS_BASE}/", self._points_of, methods=["GET"]),
            Route(incidents, self._create, methods=["POST"]),
            Route(f"{incidents}/{{incident:int}}/attachments", self._attach, methods=["POST"]),
            Route(f"{incidents}/{{incident:int}}/ack", self._acknowledge, methods=["PUT"]),
        ]

    async def _address_at(self, request: Request) -> Response:
        try:
            question = json.loads(request.query_params["json"])
            # The service takes the latitude as x; so does EPSG:4326 itself.
            x, y = self._to_lambert.transform(float(question["point"]["x"]), float(question["point"]["y"]))
        except (KeyError, TypeError, ValueError):
            return JSONResponse({"error": True, "result": None}, 400)
        street = _nearest(x, y)
        _, fr, nl, _ = MUNICIPALITIES[street.postal_code]
        dutch = question.get("language") == "nl"
        names = {
            "name": street.nl if dutch else street.fr,
            "postCode": street.postal_code,
            "municipality": nl if dutch else fr,
        }
        return JSONResponse({"error": False, "result": {"address": {"street": names, "number": "1"}}})

    async def _points_of(self, request: Request) -> Response:
        text = request.query_params.get("address", "").casefold()
        found = [street for street in known_streets() if street.fr.casefold() in text or street.nl.casefold() in text]
        return JSONResponse({"error": False, "result": [{"point": {"x": street.x, "y": street.y}} for street in found]})

    async def _create(self, request: Request) -> Response:
        world = self._world
        try:
            given = json.loads(await request.body())
            point = (float(given["coordinates"]["x"]), float(given["coordinates"]["y"]))
            category_id = given["category"]
            creator = _creator_from(given["reporter"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return problem(400, f"Unreadable incident: {type(error).__name__}")
        if not isinstance(category_id, int) or not world.tree.is_leaf(category_id):
            return problem(400, "Unknown category")
        street, report_id, at = _nearest(*point), world.reserve_ids(1)[0], world.moment()
        department = dispatched_to(random.Random(report_id), street, world.tree.path(category_id))
        report = Report(
            id=report_id,
            created_at=at,
            modified_at=at,
            status=Status.TEMPORARY,
            category_id=category_id,
            address=Address(street, ""),
            point=point,
            creator=creator,
            department=department,
            several_occurrences=given.get("severalOccurrence") is True,
        )
        world.add(report, "submitted")
        return JSONResponse({"response": {"id": report_id}})

    async def _attach(self, request: Request) -> Response:
        report = self._world.reports.get(request.path_params["incident"])
        if report is None:
            return problem(404, "Incident not found")
        match request.query_params.get("type"):
            case "COMMENT":
                try:
                    given = json.loads(await request.body())
                    comment = _comment_from(given, self._world.moment())
                except (AttributeError, KeyError, TypeError, ValueError):
                    return problem(400, "Unreadable comment")
                report.comments.append(comment)
                self._world.record(report, "comment", comment.created_at, modifies=False)
            case "FILE":
                parts = _parts(request.headers.get("content-type", ""), await request.body())
                if "file" not in parts:
                    return problem(400, "A file is expected")
                report.photographs += 1
                self._world.record(report, "photograph", self._world.moment(), modifies=False)
            case _:
                return problem(400, "Unknown attachment type")
        return JSONResponse({"response": {"id": len(report.comments) + report.photographs}})

    async def _acknowledge(self, request: Request) -> Response:
        report = self._world.reports.get(request.path_params["incident"])
        if report is None:
            return problem(404, "Incident not found")
        if report.status is Status.TEMPORARY:
            report.status = Status.CREATED
            self._world.record(report, "created", self._world.moment())
            if report.department == CITY_CRM and self._world.target is not None:
                async with self._open_client() as client:
                    sender = WebhookSender(self._world, client)
                    await Operator(self._world, sender, self._world.target).announce(report)
        return JSONResponse({"response": {"id": report.id}})


def _nearest(x: float, y: float) -> Street:
    return min(known_streets(), key=lambda street: (street.x - x) ** 2 + (street.y - y) ** 2)


def _creator_from(reporter: dict[str, Any]) -> Creator:
    contact = reporter["contact"]
    language = contact.get("language", {}).get("user", "fr")
    if language not in _LANGUAGES:
        raise ValueError(f"no language {language!r}")
    phone = contact.get("phoneNumber") or ""
    return Creator("citizen", "", str(reporter["name"]), str(phone), str(contact["emailAddress"]), language)


def _comment_from(given: dict[str, Any], at: datetime) -> Comment:
    return Comment(at, str(given["reporter"]["name"]), str(given["content"]))


def _parts(content_type: str, body: bytes) -> dict[str, bytes]:
    message = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body
    )
    if not message.is_multipart():
        return {}
    return {
        str(part.get_param("name", header="content-disposition")): bytes(part.get_payload(decode=True) or b"")
        for part in message.iter_parts()
    }
