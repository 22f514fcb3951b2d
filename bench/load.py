"""Sends webhooks over a number of connections, one at a time on each, and says how long the answers took."""

import argparse
import asyncio
import json
import time

import uvloop

from bench.bodies import bodies, signature


async def _sender(port: int, work: list[bytes], took: list[float], refused: list[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in work:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        took.append(time.perf_counter() - started)
        if not head.startswith(b"HTTP/1.1 200"):
            refused.append(int(head[9:12]))
    writer.close()


def prepared(path: str, count: int, seed: int) -> list[bytes]:
    """Whole requests, signed beforehand, so that the sender costs as little as it can."""
    requests = []
    for body in bodies(count, seed):
        head = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json; charset=utf-8\r\n"
            f"x-fms-signature: {signature(body)}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    return requests


async def _run(port: int, path: str, count: int, connections: int, seed: int) -> dict[str, float]:
    requests = prepared(path, count, seed)
    took: list[float] = []
    refused: list[int] = []
    started = time.perf_counter()
    await asyncio.gather(*(_sender(port, requests[start::connections], took, refused) for start in range(connections)))
    seconds = time.perf_counter() - started
    took.sort()
    return {
        "seconds": seconds,
        "rate": count / seconds,
        "p50_ms": took[len(took) // 2] * 1000,
        "p99_ms": took[int(len(took) * 0.99)] * 1000,
        "refused": len(refused),
    }


def main() -> None:
    """Send, and print one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    result = uvloop.run(_run(arguments.port, arguments.path, arguments.count, arguments.connections, arguments.seed))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
