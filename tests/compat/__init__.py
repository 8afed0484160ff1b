"""What earlier releases and hermes-agent wrote still loads."""
