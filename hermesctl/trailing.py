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
    """A command whose words after `--` reach it as `words`, untouched. Without `--` it is not understood.

    Where they are optional, a command line without `--` has none, and an option that is not ours is told to stand
    behind it.
    """

    def __init__(
        self, name: str | None, *, trailing_metavar: str, is_optional: bool = False, **settings: Any
    ) -> None:
        super().__init__(name, **settings)
        self._metavar = trailing_metavar
        self._is_optional = is_optional

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses what stands before `--` as any command of ours.

        Raises:
            HermesError: ARGUMENT_INVALID, there is no `--`, or it should stand before an option.
        """
        if self._is_optional:
            return self._parse_optional(ctx, args)
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

    def _parse_optional(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index(END) if END in args else len(args)
        try:
            rest = super().parse_args(ctx, args[:end])
        except click.NoSuchOption as error:
            at = next(at for at, word in enumerate(args) if word.startswith(error.option_name))
            theirs = shlex.join([*ctx.command_path.split(), *args[:at], END, *args[at:end]])
            raise usage(
                f"'{error.option_name}' is not an option of '{ctx.command_path}'",
                why=f"what is meant for the other program stands behind '{END}'",
                fixes=[Fix(f"{ctx.command_path} --help"), Fix(theirs)],
            ) from error
        ctx.params["words"] = tuple(args[end + 1 :])
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The pieces of the line that says how to call it."""
        pieces = [END, self._metavar]
        return [*super().collect_usage_pieces(ctx), *([f"[{' '.join(pieces)}]"] if self._is_optional else pieces)]
