"""Moments that people type as options.

Owns: turning them into the contract's, and the failure where one is none. Must not know which command takes them.
"""

from google.protobuf.timestamp_pb2 import Timestamp

from hermesctl.errors import Fix, HermesError, usage
from hermesctl.times import parse_moment


def moment_given(option: str, text: str | None, now_s: float, command: str) -> Timestamp | None:
    """The moment that an option gives; `None` if it was left out. `command` has help on it.

    Raises:
        HermesError: ARGUMENT_INVALID, it is none.
    """
    if text is None:
        return None
    moment = Timestamp()
    try:
        moment.FromMilliseconds(round(parse_moment(text, now_s) * 1000))
    except OverflowError as error:
        raise _refused(option, f"'{text}' is longer ago than there are dates", command) from error
    except ValueError as error:
        raise _refused(option, str(error), command) from error
    return moment


def _refused(option: str, why: str, command: str) -> HermesError:
    return usage(f"'{option}': {why}", fixes=[Fix(f"hermesctl {command} --help")])
