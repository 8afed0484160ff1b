"""The kinds of agents: each the only place that knows one kind's files, flags and exit codes."""
