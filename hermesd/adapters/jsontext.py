"""JSON that others may have written: read so that it fails in one way, written so that nothing of it is lost.

Must not know what it says.
"""

import json
from typing import Any


def parse(text: str | bytes, *, is_strict: bool = True) -> Any:
    """The document. Unless `is_strict`, strings may hold raw control characters.

    Raises:
        ValueError: it is none, or is nested so deeply that nobody could read it.
    """
    try:
        return json.loads(text, strict=is_strict)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def rendered(data: Any) -> bytes:
    """The document as people read it, with a newline at its end.

    Half a character, which JSON can name and UTF-8 cannot hold, is written as JSON names it.
    """
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode(errors="backslashreplace")
