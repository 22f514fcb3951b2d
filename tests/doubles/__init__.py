"""Stand-ins for the ports, written against their documentation: scripted, counting, without a network."""
