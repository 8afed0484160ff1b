"""The client kept warm: processes that have imported the whole program and wait for command lines."""
