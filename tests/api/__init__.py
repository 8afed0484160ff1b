"""Tests of the contract and of the server on a real socket."""
