"""Moments that people type as options.

Owns: turning them into the contract's, and the failure where one is none. Must not know which command takes them.
"""

from google.protobuf.timestamp_pb2 import Timestamp

from hermesctl.errors import Fix, usage
from hermesctl.times import parse_moment


def moment_given(option: str, text: str | None, now_s: float, command: str) -> Timestamp | None:
    """The moment that an option gives; `None` if it was left out. `command` has help on it.

    Raises:
        HermesError: ARGUMENT_INVALID, it is none.
    """
    if text is None:
        return None
    try:
        at_s = parse_moment(text, now_s)
    except ValueError as error:
        raise usage(f"'{option}': {error}", fixes=[Fix(f"hermesctl {command} --help")]) from error
    moment = Timestamp()
    moment.FromMilliseconds(round(at_s * 1000))
    return moment
