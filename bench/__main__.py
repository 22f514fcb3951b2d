"""`python -m bench`: accepted a second, end to end a second, idle latency and memory, beside a bare loop in one run."""

import argparse
import os
import socket
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from rich.console import Console
from rich.table import Table

from bench import stage
from bench.load import prepared

PATH = "/webhooks/fixmystreet/webhook"
Start = Callable[[int], AbstractContextManager[tuple[int, int]]]


def accepting(start: Start, count: int, seed: int) -> dict[str, float]:
    """Webhooks accepted a second at 32 connections, delivery not running."""
    with stage.lean_crm(5) as crm, start(crm) as (port, pid):
        stage.send(port, PATH, count=500, connections=32, seed=seed + 50)
        before = stage.cpu_seconds(pid)
        result = stage.send(port, PATH, count=count, connections=32, seed=seed)
        return {**result, "cpu_us": (stage.cpu_seconds(pid) - before) / count * 1e6}


def end_to_end(start: Start, count: int, seed: int) -> dict[str, float]:
    """Events a second from the first webhook to the last change in the CRM, which answers after 5 ms."""
    with stage.lean_crm(5) as crm, start(crm) as (port, pid):
        started, before = time.perf_counter(), stage.cpu_seconds(pid)
        stage.send(port, PATH, count=count, connections=32, seed=seed)
        accepted_at = time.perf_counter()
        at_acceptance = stage.get(crm, "/_count")["changes"]
        quiet_since, last = time.perf_counter(), -1
        while True:
            now = stage.get(crm, "/_count")
            if now["changes"] != last:
                last, quiet_since = now["changes"], time.perf_counter()
            if last >= count or time.perf_counter() - quiet_since > 5:
                break
            time.sleep(0.02)
        return {
            "rate": last / (quiet_since - started),
            "under_load": at_acceptance / (accepted_at - started),
            "cpu_us": (stage.cpu_seconds(pid) - before) / count * 1e6,
            "missing": count - last,
            "doubled": now["doubled"],
            "out_of_order": now["out_of_order"],
            "requests": now["requests"],
            "memory_mb": stage.memory_mb(pid),
        }


def idle(start: Start, count: int, seed: int) -> dict[str, float]:
    """Milliseconds from sending the webhook of a new report to its arrival in a CRM that answers at once."""
    took: list[float] = []
    with stage.lean_crm(0) as crm, start(crm) as (port, pid):
        time.sleep(1)
        resting = stage.memory_mb(pid)
        for number, request in enumerate(prepared(PATH, count * 6, seed)):
            report = int(request.split(b'"id": ', 1)[1].split(b",", 1)[0])
            if report < 1_000_000 or len(took) >= count:
                continue
            with socket.create_connection(("127.0.0.1", port)) as connection:
                sent_at = time.time()
                connection.sendall(request)
                connection.recv(4096)
            reference = f"{'fixmystreet' if start is not bare_all else 'report'}-{report}"
            for _ in range(500):
                seen = stage.get(crm, f"/_seen/{reference}")
                if seen is not None:
                    took.append((seen - sent_at) * 1000)
                    break
                time.sleep(0.004)
            time.sleep(0.01 + number % 7 / 500)
    took.sort()
    return {"p50_ms": took[len(took) // 2], "p99_ms": took[int(len(took) * 0.99)], "memory_mb": resting}


def at_rest(start: Start, _count: int, _seed: int) -> dict[str, float]:
    """Resident memory of a process that has nothing to do, in MB."""
    with stage.lean_crm(0) as crm, start(crm) as (_, pid):
        time.sleep(2)
        return {"memory_mb": stage.memory_mb(pid)}


def relais_delivery(crm: int) -> AbstractContextManager[tuple[int, int]]:
    """Relais' delivery alone."""
    return stage.relais(crm, role="delivery")


def bare_intake(_crm: int) -> AbstractContextManager[tuple[int, int]]:
    """The bare loop, accepting only."""
    return stage.bare(None)


def bare_all(crm: int) -> AbstractContextManager[tuple[int, int]]:
    """The bare loop, accepting and delivering."""
    return stage.bare(crm)


def relais_intake(crm: int) -> AbstractContextManager[tuple[int, int]]:
    """Relais' intake alone."""
    return stage.relais(crm, role="intake")


def relais_single(crm: int) -> AbstractContextManager[tuple[int, int]]:
    """All of Relais, one change a request."""
    return stage.relais(crm, batch_size=1)


def relais_batched(crm: int) -> AbstractContextManager[tuple[int, int]]:
    """All of Relais, up to 50 changes a request."""
    return stage.relais(crm, batch_size=50)


def relais_with_feeds(crm: int) -> AbstractContextManager[tuple[int, int]]:
    """The same with the feeds, so that their price is known."""
    return stage.relais(crm, batch_size=50, feeds=True)


def main() -> None:
    """Run everything ``--rounds`` times, interleaved, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=8000)
    parser.add_argument("--only", choices=["accept", "end-to-end", "memory", "idle"])
    arguments = parser.parse_args()
    console = Console(width=150)
    console.print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, medians of {arguments.rounds}")
    suites: list[tuple[str, str, Callable[[Start, int, int], dict[str, float]], list[tuple[str, Start]], int]] = [
        ("accept", "webhooks accepted, 32 connections", accepting,
         [("bare loop", bare_intake), ("relais intake", relais_intake)], arguments.count),
        ("end-to-end", "webhook to CRM, 32 connections, CRM at 5 ms", end_to_end,
         [("bare loop", bare_all), ("relais, batches of 1", relais_single), ("relais, batches of 50", relais_batched),
          ("the same with feeds", relais_with_feeds)], arguments.count),
        ("memory", "a process at rest", at_rest,
         [("bare loop", bare_all), ("relais intake", relais_intake), ("relais delivery", relais_delivery),
          ("relais run", relais_batched)], 0),
        ("idle", "one webhook at a time, CRM at once", idle,
         [("bare loop", bare_all), ("relais run", relais_batched)], 200),
    ]  # fmt: skip
    for name, title, measure, starts, count in suites:
        if arguments.only in (None, name):
            _show(console, title, _rounds(measure, starts, count, arguments.rounds))
    console.print(f"load {os.getloadavg()[0]:.1f} at the end")


def _rounds(
    measure: Callable[[Start, int, int], dict[str, float]], starts: list[tuple[str, Start]], count: int, rounds: int
) -> dict[str, dict[str, float]]:
    results: dict[str, list[dict[str, float]]] = {name: [] for name, _ in starts}
    for seed in range(1, rounds + 1):
        for name, start in starts:
            results[name].append(measure(start, count, seed))
    return {
        name: {key: statistics.median(one[key] for one in runs) for key in runs[0]} for name, runs in results.items()
    }


def _show(console: Console, title: str, results: dict[str, dict[str, float]]) -> None:
    columns = list(next(iter(results.values())))
    table = Table(title=title)
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    table.add_column("of the bare loop", justify="right")
    base = next(iter(results.values()))
    measure = next(column for column in ("rate", "p50_ms", "memory_mb") if column in base)
    for name, result in results.items():
        table.add_row(name, *(f"{result[one]:,.1f}" for one in columns), f"{result[measure] / base[measure]:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
