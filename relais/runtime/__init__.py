"""The program's edges: HTTP, polling, the broker, the clock; thin."""
