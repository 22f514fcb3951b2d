"""Side-by-side measurements: Relais and a bare loop that does the same durable work by hand, in one run."""
