"""The promises of a ledger, one module a subject."""
