"""The only code that touches the system, each module one kind of thing."""
