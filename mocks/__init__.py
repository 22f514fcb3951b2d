"""Stand-ins for the outside systems: they import nothing of ours, so that they cannot share our mistakes."""
