"""The intake itself: creates, updates and additions as the contract has them, in memory, with a journal if asked."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, Final

from mocks.crm_cmt.fields import ADDITION_CHECKS, ADDITIONS, case_check, patch_faults, patched
from mocks.crm_cmt.journal import Journal
from mocks.crm_cmt.problems import ProblemError, invalid_field
from mocks.crm_cmt.records import CaseRecord, Receipt, Request, UsedKey, Write
from mocks.crm_cmt.vocabulary import CASE_TYPES

_ABSENT: Final = object()


class Intake:
    """Everything the CRM holds. No method awaits, so each is done whole or not at all.

    Each write raises `ProblemError` for what the contract refuses, and then nothing has changed.
    """

    def __init__(self, case_types: Collection[str] = tuple(CASE_TYPES), journal: Journal | None = None) -> None:
        self.case_types = tuple(case_types)
        self.history: list[Write] = []
        self.counters: Counter[tuple[str, str]] = Counter()
        self._check = case_check(case_types)
        self._journal = journal
        self._cases: dict[str, CaseRecord] = {}
        self._by_reference: dict[str, CaseRecord] = {}
        self._keys: dict[tuple[str, str], UsedKey] = {}
        for entry in journal.entries() if journal else ():
            self._replay(entry)

    @property
    def cases(self) -> Collection[CaseRecord]:
        """All cases, oldest first."""
        return self._cases.values()

    def case(self, case_id: str) -> CaseRecord:
        """The case of that id; raises `case-not-found`."""
        try:
            return self._cases[case_id]
        except KeyError:
            raise ProblemError("case-not-found") from None

    def states(self, references: Iterable[str]) -> list[dict[str, Any]]:
        """The states of the cases known among these references."""
        known = (self._by_reference.get(reference) for reference in dict.fromkeys(references))
        return [record.state() for record in known if record is not None]

    def create(self, key: str, body: Any, request: Request) -> Receipt:
        """Create a case, or repeat the answer given before."""
        repeated = self._repeated(key, "create", None, body, request)
        if repeated:
            return repeated
        faults = self._check(body)
        if faults:
            raise invalid_field(faults)
        taken = self._by_reference.get(body["reference"])
        if taken:
            raise ProblemError(
                "case-exists", id=taken.id, etag=taken.etag, version=taken.version, lastChange=taken.last_change
            )
        receipt = self._create(key, body, request)
        self._record("create", request, key=key, body=body)
        return receipt

    def update(self, key: str, case_id: str, if_match: str | None, body: Any, request: Request) -> Receipt:
        """Change a case that is still as ``if_match`` says, or repeat the answer given before."""
        repeated = self._repeated(key, "update", case_id, body, request)
        if repeated:
            return repeated
        record = self.case(case_id)
        if if_match is None:
            raise ProblemError("precondition-required")
        if type(body) is not dict:
            raise invalid_field([("", "type", "Must be an object.")])
        merged = patched(record.fields, body)
        faults = patch_faults(body, record.reference, self._check, merged)
        if faults:
            raise invalid_field(faults)
        standing: dict[str, Any] = {"version": record.version, "lastChange": record.last_change, "etag": record.etag}
        if body["version"] <= record.version:
            raise ProblemError("stale-version", **standing)
        if if_match != record.etag:
            raise ProblemError("etag-mismatch", **standing)
        receipt = self._update(key, record, body, merged, request)
        self._record("update", request, key=key, id=case_id, body=body)
        return receipt

    def add(self, case_id: str, name: str, body: Any, request: Request) -> Receipt:
        """Add a note (``name`` is `notes`) or an attachment (`attachments`); 200 where its key is known."""
        record = self.case(case_id)
        faults = ADDITION_CHECKS[name](body)
        if faults:
            raise invalid_field(faults)
        outcome = self._add(record, name, body)
        if outcome["outcome"] == "exists":
            return Receipt(200, outcome)
        record.updated_at = request.at
        self._write(f"add {name}", record, None, request, {}, **{name: (body["key"],)})
        self._record("add", request, id=case_id, name=name, body=body)
        return Receipt(201, outcome)

    def edit(self, reference: str, patch: dict[str, Any], request: Request) -> CaseRecord:
        """Change a case as an agent of the CRM would: the ETag changes, the sender's version and last change do not.

        Raises `case-not-found` and `invalid-field`.
        """
        record = self._by_reference.get(reference)
        if record is None:
            raise ProblemError("case-not-found")
        merged = patched(record.fields, patch)
        faults = self._check(merged) or []
        faults += [
            (name, "immutable", "Agents do not change it.") for name in ("reference", "version") if name in patch
        ]
        faults += [(name, "unknown_field", "Agents do not add it.") for name in ADDITIONS if name in patch]
        if faults:
            raise invalid_field(faults)
        self._edit(record, merged, request)
        self._record("edit", request, reference=reference, body=patch)
        return record

    def reset(self) -> None:
        """Forget everything, the journal included."""
        self._cases.clear()
        self._by_reference.clear()
        self._keys.clear()
        self.history.clear()
        self.counters.clear()
        if self._journal:
            self._journal.clear()

    def _repeated(self, key: str, operation: str, case_id: str | None, body: Any, request: Request) -> Receipt | None:
        used = self._keys.get((request.caller, key))
        if used is None:
            return None
        if (used.operation, used.case_id) != (operation, case_id) or used.body != body:
            raise ProblemError("idempotency-key-reused")
        return Receipt(used.receipt.status, used.receipt.body, replayed=True)

    def _create(self, key: str, body: dict[str, Any], request: Request) -> Receipt:
        number = len(self._cases) + 1
        case_id = f"CMT-{request.at[:4]}-{number:07d}"
        fields = {name: value for name, value in body.items() if name not in ADDITIONS}
        link = f"{request.public_url}/cases/{case_id}"
        record = CaseRecord(number, case_id, link, fields, key, request.at, request.at)
        self._cases[case_id] = self._by_reference[record.reference] = record
        return self._settle(201, "create", None, key, record, body, {}, request)

    def _update(
        self, key: str, record: CaseRecord, body: dict[str, Any], merged: dict[str, Any], request: Request
    ) -> Receipt:
        changed = self._take(record, merged, request)
        record.last_change = key
        return self._settle(200, "update", record.id, key, record, body, changed, request)

    def _edit(self, record: CaseRecord, merged: dict[str, Any], request: Request) -> None:
        self._write("edit", record, None, request, self._take(record, merged, request))

    def _take(self, record: CaseRecord, merged: dict[str, Any], request: Request) -> dict[str, tuple[Any, Any]]:
        before = record.fields
        record.fields = {name: value for name, value in merged.items() if name not in ADDITIONS}
        record.revision += 1
        record.updated_at = request.at
        return {
            name: (before.get(name), record.fields.get(name))
            for name in {**before, **record.fields}
            if before.get(name, _ABSENT) != record.fields.get(name, _ABSENT)
        }

    def _settle(
        self,
        status: int,
        operation: str,
        case_id: str | None,
        key: str,
        record: CaseRecord,
        body: dict[str, Any],
        changed: dict[str, tuple[Any, Any]],
        request: Request,
    ) -> Receipt:
        answer: dict[str, Any] = {
            "id": record.id,
            "reference": record.reference,
            "version": record.version,
            "etag": record.etag,
            "link": record.link,
        }
        stored: dict[str, tuple[str, ...]] = {}
        for name in ADDITIONS:
            outcomes = [self._judge(record, name, addition) for addition in body.get(name, ())]
            answer[name] = outcomes
            stored[name] = tuple(outcome["key"] for outcome in outcomes if outcome["outcome"] == "stored")
        self._write(operation, record, key, request, changed, **stored)
        receipt = Receipt(status, answer)
        self._keys[request.caller, key] = UsedKey(operation, case_id, body, receipt)
        return receipt

    def _judge(self, record: CaseRecord, name: str, addition: Any) -> dict[str, Any]:
        faults = ADDITION_CHECKS[name](addition)
        if not faults:
            return self._add(record, name, addition)
        key = addition.get("key") if type(addition) is dict else None
        readable = type(key) is str and not any(path == "key" for path, _, _ in faults)
        return {"key": key if readable else None, "outcome": "refused", "problem": invalid_field(faults).body()}

    def _add(self, record: CaseRecord, name: str, addition: dict[str, Any]) -> dict[str, Any]:
        kept: dict[str, dict[str, Any]] = getattr(record, name)
        key = addition["key"]
        if key in kept:
            return {"key": key, "outcome": "exists"}
        kept[key] = addition
        return {"key": key, "outcome": "stored"}

    def _write(
        self,
        operation: str,
        record: CaseRecord,
        key: str | None,
        request: Request,
        changed: dict[str, tuple[Any, Any]],
        notes: tuple[str, ...] = (),
        attachments: tuple[str, ...] = (),
    ) -> None:
        self.history.append(
            Write(
                sequence=len(self.history) + 1,
                operation=operation,
                id=record.id,
                reference=record.reference,
                version=record.version,
                status=record.fields["status"],
                change=key,
                caller=request.caller,
                received_at=request.at,
                request_id=request.request_id,
                changed=changed,
                notes=notes,
                attachments=attachments,
            )
        )

    def _record(self, done: str, request: Request, **entry: Any) -> None:
        if self._journal:
            asked = [request.caller, request.at, request.public_url, request.request_id]
            self._journal.append({"do": done, "request": asked, **entry})

    def _replay(self, entry: dict[str, Any]) -> None:
        request = Request(*entry["request"])
        body = entry["body"]
        match entry["do"]:
            case "create":
                self._create(entry["key"], body, request)
            case "update":
                record = self.case(entry["id"])
                self._update(entry["key"], record, body, patched(record.fields, body), request)
            case "add":
                record = self.case(entry["id"])
                self._add(record, entry["name"], body)
                record.updated_at = request.at
                self._write(f"add {entry['name']}", record, None, request, {}, **{entry["name"]: (body["key"],)})
            case "edit":
                record = self._by_reference[entry["reference"]]
                self._edit(record, patched(record.fields, body), request)
