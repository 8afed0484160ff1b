"""Both programs with the real hermes-agent."""
