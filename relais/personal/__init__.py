"""What keeps personal data where it belongs."""
