"""hermesd under a real systemd, in a machine of its own."""
