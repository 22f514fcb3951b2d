"""The engine: the same for every system, never naming one."""
