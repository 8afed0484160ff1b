"""How a failure is told.

Owns: the `error:`, `why:`, `fix:` and `see:` lines and their JSON. Must not know where failures come from.
"""

from typing import Any

from hermesctl.errors import Fix, HermesError
from hermesctl.render import as_json
from hermesctl.tables import Colour, paint
from hermesctl.terminal import Terminal
from hermesctl.text import clean, fold, pad, width

LABELS = {"error": Colour.RED, "warning": Colour.YELLOW, "fix": Colour.GREEN}

INDENTATION = len("  why: ")

LOGGED_REASONS = frozenset({"GATEWAY_CRASHED", "GATEWAY_NOT_READY", "GATEWAY_MISCONFIGURED"})
"""The agent's own words about these are in its log."""

HINDERED_REASONS = frozenset({"GATEWAY_FOREIGN", "GATEWAY_STUCK", "PORT_IN_USE", "TOKEN_IN_USE"})
"""Something is in the way of these that the state of the gateway tells more about."""


def report(error: HermesError, terminal: Terminal, *, is_json: bool, verbosity: int) -> None:
    """Tells a failure on stderr."""
    terminal.say(as_json(_data(error)) if is_json else _text(error, terminal, verbosity))


def warning(message: str, terminal: Terminal) -> str:
    """The line for something a person should know although nothing failed."""
    return f"{_label('warning', terminal)} {clean(message)}\n"


def runnable(command: str, terminal: Terminal) -> str:
    """A command of ours as the person can type it here."""
    if command == "hermesctl" or command.startswith("hermesctl "):
        return terminal.program + command.removeprefix("hermesctl")
    return command


def see(error: HermesError) -> str:
    """Where to read on; empty if there is nothing more to read."""
    profile = error.facts.get("profile")
    if "incident" in error.facts:
        return "hermesctl daemon status"
    if profile and error.reason in LOGGED_REASONS:
        return f"hermesctl gateway logs {profile}"
    if profile and "claim" in error.facts:
        return f"hermesctl claims show {profile}"
    if profile and error.reason in HINDERED_REASONS:
        return f"hermesctl gateway status {profile}"
    if error.reason == "PROFILE_BUSY" and (operation := error.facts.get("operation")):
        return f"hermesctl operations show {operation}"
    return ""


def _text(error: HermesError, terminal: Terminal, verbosity: int) -> str:
    lines = [f"{_label('error', terminal)} {clean(error.message)}"]
    if error.why:
        lines.append(f"  why: {fold(clean(error.why), terminal.stderr_columns, INDENTATION)}")
    lines.extend(_fix_lines(error.fixes, terminal))
    if pointer := see(error):
        lines.append(f"  see: {clean(runnable(pointer, terminal))}")
    if verbosity:
        facts = "".join(f" {key}={value}" for key, value in sorted(error.facts.items()))
        lines.append(f"  reason: {clean(error.reason + facts)} exit={int(error.exit_code)}")
    return "".join(f"{line}\n" for line in lines)


def _fix_lines(fixes: tuple[Fix, ...], terminal: Terminal) -> list[str]:
    texts = [clean(fix.text) for fix in fixes]
    widest = max((width(text) for text in texts), default=0)
    gap = "     " if widest else ""
    labels = [_label("fix", terminal), *["    "] * (len(fixes) - 1)]
    return [
        f"  {label} {pad(text, widest)}{gap}{clean(runnable(fix.command, terminal))}"
        for label, text, fix in zip(labels, texts, fixes, strict=False)
    ]


def _data(error: HermesError) -> dict[str, Any]:
    facts = dict(error.facts)
    return {
        "error": {
            "reason": error.reason,
            "message": error.message,
            "why": error.why or None,
            "fixes": [{"text": fix.text or None, "command": fix.command} for fix in error.fixes],
            "profile": facts.pop("profile", None),
            "operation": facts.pop("operation", None),
            "exit": int(error.exit_code),
            "request_id": facts.pop("incident", None),
            "facts": dict(sorted(facts.items())),
        }
    }


def _label(word: str, terminal: Terminal) -> str:
    return paint(f"{word}:", LABELS[word], has_colour=terminal.has_colour(terminal.stderr))
