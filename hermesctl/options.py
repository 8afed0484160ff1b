"""What all our commands have in common on the command line.

Owns: the common options, accepted at every level; groups that know aliases, suggest near words and import their
commands late; parameter types. Must not know any noun.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import click

from hermesctl import __version__
from hermesctl.arguments import suggestion
from hermesctl.completion import offered
from hermesctl.errors import Fix, usage
from hermesctl.render import Format
from hermesctl.session import Session
from hermesctl.terminal import ColourChoice
from hermesctl.times import parse_span

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

VERB_ALIASES = {"ls": "list", "rm": "delete"}
SHELLS = ("bash", "zsh", "fish")
"""The shells that we have scripts for."""

NOTE = "Every command takes -p NAME, -o FORMAT, --json, --no-headers, -q, -v and --color WHEN."


def _session(context: click.Context) -> Session:
    return cast("Session", context.obj)


def _set_profile(context: click.Context, _: click.Parameter, value: tuple[str, ...]) -> None:
    for name in value:
        _session(context).profile.set(reference(name))


def _set_output(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        _session(context).form = Format(value)


def _set_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        _session(context).form = Format.JSON


def _set_no_headers(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        _session(context).has_headers = False


def _set_quiet(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        _session(context).is_quiet = True


def _set_verbosity(context: click.Context, _: click.Parameter, value: int) -> None:
    _session(context).verbosity += value


def _set_colour(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        _session(context).terminal.colour_choice = ColourChoice(value)


def _show_help(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:  # at a Tab, nothing is shown
        _session(context).terminal.write(f"{context.get_help()}\n")
        context.exit()


def _show_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        _session(context).terminal.write(f"hermesctl {__version__}\n")
        context.exit()


def common_options(*, is_hidden: bool) -> list[click.Option]:
    """The common options; hidden below the top, where one line of help stands for them."""

    def option(names: Sequence[str], callback: Callable[..., None], text: str, **settings: Any) -> click.Option:
        hidden = settings.pop("hidden", is_hidden)
        return click.Option(names, expose_value=False, callback=callback, help=text, hidden=hidden, **settings)

    return [
        option(
            ["-p", "--profile"],
            _set_profile,
            "The profile to work on.",
            metavar="NAME",
            multiple=True,
            shell_complete=offered.profiles,
        ),
        option(
            ["-o", "--output"],
            _set_output,
            "How results are written.",
            type=click.Choice([form.value for form in Format]),
        ),
        option(["--json"], _set_json, "The same as -o json.", is_flag=True),
        option(["--no-headers"], _set_no_headers, "Tables without their first line.", is_flag=True),
        option(["-q", "--quiet"], _set_quiet, "No progress, no notices.", is_flag=True),
        option(["-v", "--verbose"], _set_verbosity, "Say more about failures.", count=True),
        option(
            ["--color"],
            _set_colour,
            "When to use colour.",
            type=click.Choice([choice.value for choice in ColourChoice]),
        ),
        option(["-h", "--help"], _show_help, "Show this and end.", is_flag=True, is_eager=True, hidden=False),
    ]


def version_option() -> click.Option:
    """`--version`, at the top only."""
    return click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_version,
        help="Show the version.",
    )


class Command(click.Command):
    """One verb, with the common options, but for those whose words it gives another meaning."""

    def __init__(self, name: str | None, **settings: Any) -> None:
        settings.setdefault("epilog", NOTE)
        super().__init__(name, add_help_option=False, **settings)
        own = {word for param in self.params for word in param.opts}
        common = [option for option in common_options(is_hidden=True) if own.isdisjoint(option.opts)]
        self.params = [*self.params, *common]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """The options that begin so."""
        return offered.options(ctx, incomplete)


class Group(click.Group):
    """One noun, or the whole program, with the common options."""

    command_class = Command
    group_class = type

    def __init__(
        self,
        name: str | None = None,
        *,
        late: Mapping[str, tuple[str, str]] | None = None,
        aliases: Mapping[str, str] = VERB_ALIASES,
        is_top: bool = False,
        **settings: Any,
    ) -> None:
        """`late` names commands by "module:attribute" and their help line, so that they are imported when used."""
        settings.setdefault("epilog", None if is_top else NOTE)
        super().__init__(name, add_help_option=False, **settings)
        self.params = [*self.params, *common_options(is_hidden=not is_top)]
        self._late = dict(late or {})
        self._aliases = aliases

    @property
    def nouns(self) -> frozenset[str]:
        """Every word that names one of the commands."""
        return frozenset({*self._late, *self.commands, *self._aliases})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of their declaration, but for those that people do not call."""
        return [name for name in self._late or self.commands if not name.startswith("_")]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """The commands and options that begin so; late commands are not imported for it."""
        helps = [(name, self._help_line(ctx, name)) for name in self.list_commands(ctx)]
        return [*offered.commands(ctx, helps, incomplete), *offered.options(ctx, incomplete)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by name or alias, imported if need be."""
        name = self._aliases.get(cmd_name, cmd_name)
        if name in self._late and name not in self.commands:
            module, _, attribute = self._late[name][0].partition(":")
            self.add_command(getattr(import_module(module), attribute), name)
        return super().get_command(ctx, name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names; raises HermesError with a suggestion if none has it."""
        found = self.get_command(ctx, args[0])
        if found is None:
            raise usage(
                f"'{args[0]}' is not a command of '{ctx.command_path}'",
                why=suggestion(args[0], self.list_commands(ctx)),
                fixes=[Fix(f"{ctx.command_path} --help")],
            )
        return args[0], found, args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands without importing the late ones."""
        lines = [(name, self._help_line(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(lines)

    def _help_line(self, context: click.Context, name: str) -> str:
        if name in self._late:
            return self._late[name][1]
        command = self.get_command(context, name)
        return command.get_short_help_str(80) if command else ""


def _to_seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    try:
        return None if value is None else parse_span(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from error


def _to_name(_: click.Context, __: click.Parameter, value: str) -> str:
    return reference(value)


def _to_names(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(reference, value))


def reference(text: str) -> str:
    """The name in a reference; a path, which starts with a slash or has several, stays as it is."""
    noun, slash, name = text.partition("/")
    return (
        name
        if slash and noun in {"profile", "gateway", "operation", "runtime", "trashedprofile", "claim"}
        else text
    )


def name_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the required argument NAME."""
    return click.argument("name", callback=_to_name, shell_complete=offered.names)(function)


def optional_name_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the optional argument NAME, which is no profile."""
    return click.argument("name", callback=_to_name, shell_complete=offered.names, required=False, default="")(
        function
    )


def profile_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the optional argument NAME, a profile."""
    return click.argument("name", callback=_to_name, shell_complete=offered.names, required=False, default="")(
        function
    )


def names_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the optional arguments NAME, profiles."""
    return click.argument(
        "names", metavar="[NAME]...", nargs=-1, callback=_to_names, shell_complete=offered.names
    )(function)


def shell_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the required argument SHELL."""
    return click.argument("shell", metavar="SHELL", type=click.Choice(SHELLS))(function)


def timeout_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--timeout`."""
    return click.option(
        "--timeout", "timeout_s", callback=_to_seconds, metavar="DURATION", help="Stop waiting after this long."
    )(function)


def span_option(name: str, parameter: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds an option for a span of time, in seconds."""
    return click.option(name, parameter, callback=_to_seconds, metavar="DURATION", help=text)


def following_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--no-wait` and `--timeout`."""
    return click.option("--no-wait", is_flag=True, help="Do not wait until it is done.")(timeout_option(function))


def watch_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--watch`."""
    return click.option("-w", "--watch", "is_watching", is_flag=True, help="Keep it up to date until Ctrl-C.")(
        function
    )
