"""Named events become a log line and a metric; nothing personal passes through here."""
