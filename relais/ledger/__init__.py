"""What has been accepted, delivered, parked, and when: the truth of the installation."""
