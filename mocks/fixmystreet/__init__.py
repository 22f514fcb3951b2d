"""Fix My Street Brussels, stood in for: reading doors, webhook sender and hook receiver over one invented world."""

import argparse
from datetime import date

from mocks.faults import App
from mocks.fixmystreet.app import stand_in
from mocks.fixmystreet.settings import Settings, WebhookTarget

_USUAL = Settings()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this stand-in; durations are in seconds."""
    parser.add_argument("--public-url", help="address written into PDF links (http://HOST:PORT)")
    parser.add_argument("--consumer-key", default=_USUAL.consumer_key, help="gateway client id (%(default)s)")
    parser.add_argument("--consumer-secret", default=_USUAL.consumer_secret, help="gateway client secret (%(default)s)")
    parser.add_argument(
        "--scope", default=_USUAL.scope, help="the only scope the token endpoint grants; empty grants any"
    )
    parser.add_argument(
        "--standing-key", default=_USUAL.standing_key, help="a bearer key that never runs out; empty means none"
    )
    parser.add_argument("--access-token-seconds", type=int, default=_USUAL.access_token_seconds, help="%(default)s")
    parser.add_argument(
        "--hook-token", default=_USUAL.hook_token, help="token of the city on the hook receiver (%(default)s)"
    )
    parser.add_argument(
        "--accept-delay-seconds",
        type=float,
        default=_USUAL.accept_delay_seconds,
        help="wait before transfer.accept (0; the real one waits 5)",
    )
    parser.add_argument(
        "--webhook-timeout-seconds",
        type=float,
        default=_USUAL.webhook_timeout_seconds,
        help="0 waits for ever, as the real one does (%(default)s)",
    )
    parser.add_argument("--webhook-url", help="where the city receives its requests; a play may name it too")
    parser.add_argument("--signature-key", default="", help="key of X-FMS-Signature; empty sends none")
    parser.add_argument("--webhook-token", default="", help="token sent to the city; empty sends none")
    parser.add_argument("--seed", type=int, default=_USUAL.seed, help="of the invented world (%(default)s)")
    parser.add_argument("--backlog", type=int, default=_USUAL.backlog, help="reports from before the day (%(default)s)")
    parser.add_argument(
        "--day", type=date.fromisoformat, default=_USUAL.day, help="the day that is played (%(default)s)"
    )


def app_from(arguments: argparse.Namespace) -> App:
    """The stand-in that the options describe, with faults around it."""
    target = None
    if arguments.webhook_url:
        target = WebhookTarget(arguments.webhook_url, arguments.signature_key, arguments.webhook_token)
    return stand_in(
        Settings(
            public_url=arguments.public_url or f"http://{arguments.host}:{arguments.port}",
            consumer_key=arguments.consumer_key,
            consumer_secret=arguments.consumer_secret,
            scope=arguments.scope,
            standing_key=arguments.standing_key,
            access_token_seconds=arguments.access_token_seconds,
            hook_token=arguments.hook_token,
            accept_delay_seconds=arguments.accept_delay_seconds,
            webhook_timeout_seconds=arguments.webhook_timeout_seconds or None,
            target=target,
            seed=arguments.seed,
            backlog=arguments.backlog,
            day=arguments.day,
        )
    )
