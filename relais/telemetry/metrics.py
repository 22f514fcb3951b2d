"""What is counted and measured, for Prometheus. Labels come from closed sets of ours, never from a source's texts."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from relais.telemetry.events import (
    ArrivalUnreadable,
    DeliveryCompleted,
    DeliveryParked,
    DeliveryPostponed,
    EventsAccepted,
    Happening,
    LeasesExpired,
    PollCompleted,
    PollFailed,
    PushRefused,
    RequestsMade,
    SweepDoubted,
)

_SECONDS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)


class Metrics:
    """One registry a process; nothing is global."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self._accepted = Counter(
            "relais_events_accepted", "Arrivals by what became of them at the door", ["source", "door", "fate"],
            registry=registry,
        )  # fmt: skip
        self._refused = Counter(
            "relais_pushes_refused", "Pushes answered with something else than 200", ["source", "door", "status"],
            registry=registry,
        )  # fmt: skip
        self._unreadable = Counter(
            "relais_arrivals_unreadable", "Events that name no case", ["source", "door"], registry=registry
        )
        self._delivered = Counter("relais_events_delivered", "Finished events", ["sink", "how"], registry=registry)
        self._latency = Histogram(
            "relais_delivery_seconds", "From acceptance to the CRM", ["sink"], buckets=_SECONDS, registry=registry
        )
        self._postponed = Counter(
            "relais_deliveries_postponed", "Failed attempts", ["sink", "outcome", "code"], registry=registry
        )
        self._parked = Counter(
            "relais_events_parked", "Events that wait for a human", ["source", "code"], registry=registry
        )
        self._requests = Histogram(
            "relais_sink_request_seconds", "Calls to a sink", ["sink", "verb"], buckets=_SECONDS, registry=registry
        )
        self._carried = Counter(
            "relais_sink_request_cases", "Changes or questions carried by calls", ["sink", "verb"], registry=registry
        )
        self._expired = Counter("relais_leases_expired", "Leases that ran out", registry=registry)
        self._polls = Counter("relais_polls", "Poll runs", ["source", "poll", "outcome"], registry=registry)
        self.oldest_age = Gauge(
            "relais_oldest_unfinished_event_age_seconds",
            "Age of the oldest event that is neither delivered nor parked",
            registry=registry,
        )
        self.unfinished = Gauge("relais_unfinished_events", "Events neither delivered nor parked", registry=registry)
        self.parked_now = Gauge("relais_parked_events_now", "Events parked at present", ["code"], registry=registry)
        self.sink_paused = Gauge("relais_sink_paused", "1 while a sink is paused", ["sink"], registry=registry)
        self.ledger_up = Gauge("relais_ledger_up", "1 while the ledger can be used", registry=registry)
        self.broker_up = Gauge("relais_broker_up", "1 while the broker can be used", registry=registry)
        self.intake_waiting = Gauge(
            "relais_intake_waiting", "Arrivals that wait for their group's commit", registry=registry
        )

    def count(self, happening: Happening) -> None:
        """Count what happened."""
        match happening:
            case EventsAccepted():
                for fate, many in (
                    ("new", happening.new), ("same", happening.same), ("conflict", happening.conflicts),
                ):  # fmt: skip
                    if many:
                        self._accepted.labels(happening.source, happening.door, fate).inc(many)
            case PushRefused():
                self._refused.labels(happening.source, happening.door, str(happening.status)).inc()
            case ArrivalUnreadable():
                self._unreadable.labels(happening.source, happening.door).inc()
            case DeliveryCompleted():
                self._delivered.labels(happening.sink, happening.how).inc()
                self._latency.labels(happening.sink).observe(happening.seconds)
            case DeliveryPostponed():
                self._postponed.labels(happening.sink, happening.outcome, happening.code).inc()
            case DeliveryParked():
                self._parked.labels(happening.source, happening.code).inc()
            case RequestsMade():
                self._requests.labels(happening.sink, happening.verb).observe(happening.seconds)
                self._carried.labels(happening.sink, happening.verb).inc(happening.cases)
            case LeasesExpired():
                self._expired.inc(happening.cases)
            case PollCompleted():
                self._polls.labels(happening.source, happening.poll, "completed").inc()
            case PollFailed():
                self._polls.labels(happening.source, happening.poll, "failed").inc()
            case SweepDoubted():
                self._polls.labels(happening.source, happening.poll, "doubted").inc()
            case _:
                pass

    def page(self) -> bytes:
        """The metrics as Prometheus reads them."""
        return generate_latest(self.registry)
