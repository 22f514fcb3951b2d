"""Who gets what: rules written as data, and the pure function that applies them to a case."""
