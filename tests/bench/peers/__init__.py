"""Supervisors that are compared, each behind the same small contract; see `contract.py`."""
