"""Adapters that keep a gateway's process tree together: one port, a module per way of doing it."""
