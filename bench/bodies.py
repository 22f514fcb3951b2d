"""Webhooks as Fix My Street signs them, 1.4 KB each, 70 % of them about 500 open reports."""

import base64
import hmac
import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha1

SIGNATURE_KEY = "bench-signature-key"
OPEN_REPORTS = 500
_START = datetime(2026, 3, 10, 6)  # noqa: DTZ001  # Fix My Street writes naive local times


def bodies(count: int, seed: int) -> Iterator[bytes]:
    """That many requests; each says something new, so that each must reach the CRM."""
    dice = random.Random(seed)
    for number in range(count):
        fresh = dice.random() >= 0.7
        report = 1_000_000 + seed * 1_000_000 + number if fresh else 1_000 + dice.randrange(OPEN_REPORTS)
        yield _request(report, number, _START + timedelta(seconds=number))


def signature(body: bytes) -> str:
    """What stands in ``X-FMS-Signature``."""
    return base64.b64encode(hmac.new(SIGNATURE_KEY.encode(), body, sha1).digest()).decode()


def _request(report: int, number: int, moment: datetime) -> bytes:
    now = moment.isoformat()
    comment = f"Observation {number}: le banc devant la maison est casse depuis quelques jours et gene le passage. "
    document = {
        "meta": {"now": now, "resource": "report", "hook": "transfer", "action": "request"},
        "data": {
            "report": {
                "id": report,
                "createdAt": "2026-03-10T05:59:00",
                "modifiedAt": now,
                "category": {
                    "fr": "Mobilier urbain / Velo : Arceau a velo",
                    "nl": "Stadsmeubilair / Fiets : Fietsbeugel",
                    "ids": [1007, 2033, 3407, ""],
                },
                "pdfUrl": {
                    "fr": f"http://fms.example.org/fr/token/{report}?auth=aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ",
                    "nl": f"http://fms.example.org/nl/token/{report}?auth=aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ",
                },
                "address": {
                    "street": {"fr": "Boulevard Anspach", "nl": "Anspachlaan"},
                    "number": str(1 + number % 180),
                    "postalCode": "1000",
                    "municipality": {"fr": "Bruxelles", "nl": "Brussel"},
                },
                "point": {"x": 148_800.5 + number % 900, "y": 170_700.25 + number % 700},
                "creator": {
                    "type": "citizen",
                    "firstName": "",
                    "lastName": "Personne Inventee",
                    "phone": "0470 00 12 34",
                    "email": "personne.inventee@example.org",
                    "language": "fr",
                },
                "comments": [
                    {
                        "createdAt": "2026-03-10T05:59:00",
                        "name": "Personne Inventee",
                        "text": "Un arceau est descelle.",
                    },
                    {"createdAt": now, "name": "Personne Inventee", "text": comment},
                ],
                "severalOccurences": False,
            }
        },
    }
    return json.dumps(document, ensure_ascii=False).encode()
