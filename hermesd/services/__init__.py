"""Use cases: they own all concurrency and every lock, and reach the system through `hermesd/domain/ports.py`."""
