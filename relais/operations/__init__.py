"""What a human may ask of a running Relais, one module a question; the command line and the console stand on it."""
