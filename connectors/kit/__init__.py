"""What connectors share and that knows no system."""
