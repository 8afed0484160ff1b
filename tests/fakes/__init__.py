"""Fakes of the ports. Each passes the contract suite of its port."""
