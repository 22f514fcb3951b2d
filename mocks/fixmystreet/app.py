"""Puts the parts of the stand-in together behind one address."""

import hmac

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mocks.faults import App, FaultsMiddleware, Scope
from mocks.fixmystreet.backlog import fill
from mocks.fixmystreet.control import Control
from mocks.fixmystreet.doors import GATEWAY_BASE, SITE_BASE, AccessTokens, ReadingDoor
from mocks.fixmystreet.hooks import HookDoor
from mocks.fixmystreet.pages import Pages
from mocks.fixmystreet.play import OpenClient
from mocks.fixmystreet.settings import Settings
from mocks.fixmystreet.submission import GIS_BASE, Submission
from mocks.fixmystreet.webhooks import pdf_token
from mocks.fixmystreet.world import World

TOKEN_PATH = "/gateway/api/token"  # noqa: S105 a path
HOOKS_PATH = "/api/v1/hooks"
BLANK_PDF = (
    b"%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Count 1/Kids[3 0 R]>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


def operation_of(scope: Scope) -> str | None:
    """The name a fault rule uses: `gateway.incidents`, `site.incident`, `token`, `hooks`, `submission` and so on."""
    path: str = scope["path"]
    if path == TOKEN_PATH:
        return "token"
    if path == HOOKS_PATH:
        return "hooks"
    if path.startswith(GIS_BASE) or (path.startswith(SITE_BASE) and scope["method"] in {"POST", "PUT"}):
        return "submission"
    for door, base in (("gateway", GATEWAY_BASE), ("site", SITE_BASE)):
        if path.startswith(f"{base}/"):
            match path.removeprefix(f"{base}/").split("/"):
                case ["incidents"]:
                    return f"{door}.incidents"
                case ["incidents", "map"]:
                    return f"{door}.map"
                case ["incidents", _]:
                    return f"{door}.incident"
                case ["categories"]:
                    return f"{door}.categories"
    return None


def stand_in(settings: Settings, open_client: OpenClient = httpx.AsyncClient, world: World | None = None) -> App:
    """The whole stand-in; `open_client` makes the clients that carry its webhooks, `world` may be given by a test."""
    world = world or World(settings)
    fill(world)
    tokens = AccessTokens(world)

    async def pdf(request: Request) -> Response:
        report = world.reports.get(request.path_params["incident"])
        given = request.query_params.get("auth", "")
        if report is None or not hmac.compare_digest(given.encode(), pdf_token(report).encode()):
            return Response("Forbidden", 403, media_type="text/plain")
        return Response(BLANK_PDF, media_type="application/pdf")

    app = Starlette(
        routes=[
            *Pages(world).routes(),
            Route(TOKEN_PATH, tokens.endpoint, methods=["POST"]),
            Route(HOOKS_PATH, HookDoor(world).endpoint, methods=["POST"]),
            *ReadingDoor(world, GATEWAY_BASE, gateway=True, tokens=tokens).routes(),
            *ReadingDoor(world, SITE_BASE, gateway=False).routes(),
            *Submission(world, open_client).routes(),
            *Control(world, tokens, open_client).routes(),
            Route("/{language}/token/report/{incident:int}/pdf/", pdf, methods=["GET"]),
        ]
    )
    return FaultsMiddleware(app, operation_of)
