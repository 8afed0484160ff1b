"""Our commands that run somebody else's: everything after `--` is theirs.

Owns: where ours ends. Must not know what is run.
"""

import shlex
from itertools import takewhile
from typing import Any

import click

from hermesctl.errors import Fix, usage
from hermesctl.options import Command

END = "--"


class Trailing(Command):
    """A command whose words after `--` reach it as `words`, untouched. Without `--` it is not understood."""

    def __init__(self, name: str | None, *, trailing_metavar: str, **settings: Any) -> None:
        super().__init__(name, **settings)
        self._metavar = trailing_metavar

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses what stands before `--` as any command of ours.

        Raises:
            HermesError: ARGUMENT_INVALID, there is no `--`.
        """
        end = args.index(END) if END in args else len(args)
        if END not in args:
            ctx.allow_extra_args = True
            ctx.allow_interspersed_args = False
        rest = super().parse_args(ctx, args[:end])
        if END not in args and not ctx.resilient_parsing:
            plain = list(takewhile(lambda word: not word.startswith("-"), ctx.args))
            fix = shlex.join([*ctx.command_path.split(), END, *plain]) if plain else f"{ctx.command_path} --help"
            raise usage(f"'{ctx.command_path}' needs '{END}' before what it runs", fixes=[Fix(fix)])
        ctx.params["words"] = tuple(args[end + 1 :])
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The pieces of the line that says how to call it."""
        return [*super().collect_usage_pieces(ctx), END, self._metavar]
