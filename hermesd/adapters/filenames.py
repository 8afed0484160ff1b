"""Names of files as text that everybody can be told.

Owns: what becomes of names that are no text in any encoding we speak. Must not know where they were found.
"""


def readable(name: str) -> str:
    """The name with each byte that is not UTF-8 spelled out: neither the contract nor a terminal takes those."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
