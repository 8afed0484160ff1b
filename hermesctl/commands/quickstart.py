"""`hermesctl quickstart`: from nothing to a gateway that answers.

Owns: the order of the steps and what is said about each. Every step is one the other commands have too, and a
step that is done already changes nothing.
"""

from dataclasses import dataclass

import click

from hermesctl import fleet, gateway_view, profile_view
from hermesctl.commands.runtime import register
from hermesctl.errors import usage
from hermesctl.options import Command
from hermesctl.progress import follow
from hermesctl.session import Session
from hermesctl.shapes import plain
from hermesctl.text import clean
from hermesd.v1 import gateways_pb2, profiles_pb2, runtimes_pb2

PROFILE = "coder"
KEY_VARIABLE = "API_SERVER_KEY"


@dataclass(frozen=True)
class Wanted:
    """What the person asks for beyond the defaults."""

    profile: str
    runtime: str
    model: profiles_pb2.ModelEndpoint
    api_port: int


@click.command(cls=Command)
@click.option("--model", default="", metavar="MODEL", help="The model to ask, as its endpoint names it.")
@click.option("--base-url", default="", metavar="URL", help="An OpenAI-compatible endpoint, such as Ollama's.")
@click.option(
    "--api-key-env", default="", metavar="VARIABLE", help="Environment variable with the endpoint's key."
)
@click.option(
    "--runtime",
    type=click.Path(),
    default="",
    metavar="PATH",
    help="Use the agent with this executable; install none.",
)
@click.option("--api-port", type=click.IntRange(0, 65535), default=0, help="Port of the agent's HTTP API.")
@click.pass_obj
def quickstart(session: Session, model: str, base_url: str, api_key_env: str, runtime: str, api_port: int) -> None:
    """Bring up daemon, agent, a profile (-p, else 'coder') and its gateway; what is there already stays."""
    endpoint = _endpoint(session, model, base_url, api_key_env)
    wanted = Wanted(session.profile.name or PROFILE, runtime, endpoint, api_port)
    _start_daemon(session)
    _install(session, wanted)
    before, is_new = _create(session, wanted)
    is_changed = _set_up(session, wanted, before, needs_api=is_new or not before.channels)
    _start(session, wanted, must_restart=is_changed and not is_new)
    _show(session, wanted)


def _endpoint(session: Session, model: str, base_url: str, variable: str) -> profiles_pb2.ModelEndpoint:
    key = session.terminal.environment.get(variable, "") if variable else ""
    if variable and not key:
        raise usage(
            f"environment variable '{variable}' is not set", why="--api-key-env names it as the place of the key"
        )
    return profiles_pb2.ModelEndpoint(model=model, base_url=base_url, key_env=variable, key=key)


def _start_daemon(session: Session) -> None:
    daemon = session.start_daemon()
    _done(session, f"daemon {'started' if daemon.is_new else 'already runs'}, pid {daemon.record.pid}")


def _install(session: Session, wanted: Wanted) -> None:
    current = _current_runtime(session)
    if wanted.runtime:
        executable = str(session.terminal.working_directory / wanted.runtime)
        if current is not None and current.executable == executable:
            _done(session, f"agent already in use: {current.name}")
        else:
            _done(session, f"agent in use: {register(session, wanted.runtime).name}")
        return
    if current is not None:
        _done(session, f"agent already installed: {current.name}")
        return
    follow(session, session.client.runtimes.InstallRuntime(runtimes_pb2.InstallRuntimeRequest()))
    installed = _current_runtime(session)
    _done(session, f"agent installed: {installed.name if installed else ''}")


def _create(session: Session, wanted: Wanted) -> tuple[profiles_pb2.Profile, bool]:
    """The profile as it was found or made, and whether it was made."""
    names = [one.name for one in session.client.profiles.ListProfiles(profiles_pb2.ListProfilesRequest()).profiles]
    is_new = wanted.profile not in names
    if is_new:
        request = profiles_pb2.CreateProfileRequest(profile=wanted.profile)
        follow(session, session.client.profiles.CreateProfile(request))
    found = _profile(session, wanted)
    _done(session, f"profile {found.name} {'created' if is_new else 'already exists'}: {found.path}")
    return found, is_new


def _set_up(session: Session, wanted: Wanted, before: profiles_pb2.Profile, *, needs_api: bool) -> bool:
    """Sets the profile up; returns whether that changed how its gateway would start.

    A profile that a messaging platform reaches gets no HTTP API that nobody asked for.
    """
    is_api_wanted = needs_api or wanted.api_port > 0 or before.api_server.enabled
    has_model = any((wanted.model.model, wanted.model.base_url, wanted.model.key_env))
    if is_api_wanted or has_model:
        request = profiles_pb2.SetUpProfileRequest(
            profile=wanted.profile, enable_api_server=is_api_wanted, api_server_port=wanted.api_port
        )
        if has_model:
            request.model.CopyFrom(wanted.model)
        follow(session, session.client.profiles.SetUpProfile(request), tells_warnings=False)
    after = _profile(session, wanted)
    is_same = (before.api_server == after.api_server, _model(before) == _model(after))
    if is_api_wanted:
        _done(session, f"HTTP API {'already enabled' if is_same[0] else 'enabled'}: {profile_view.api_url(after)}")
    if after.model:
        endpoint = " ".join(part for part in _model(after) if part)
        _done(session, f"model {'already chosen' if is_same[1] else 'chosen'}: {endpoint}")
    return not all(is_same)


def _start(session: Session, wanted: Wanted, *, must_restart: bool) -> None:
    """Starts the gateway, or restarts one that runs with what is no longer so; what is told is what it became."""
    gateways = session.client.gateways
    asked = gateways_pb2.GetGatewayRequest(profile=wanted.profile)
    was_up = gateways.GetGateway(asked).HasField("process")
    if must_restart and was_up:
        operation = gateways.RestartGateway(gateways_pb2.RestartGatewayRequest(profile=wanted.profile))
    else:
        operation = gateways.StartGateway(gateways_pb2.StartGatewayRequest(profile=wanted.profile))
    follow(session, operation)
    before = "restarted, " if must_restart and was_up else "already " if was_up else ""
    _done(session, f"gateway of {wanted.profile} {before}{gateway_view.state_word(gateways.GetGateway(asked))}")


def _show(session: Session, wanted: Wanted) -> None:
    whole = fleet.survey(session)
    found = _profile(session, wanted)
    if session.form.is_text:
        session.terminal.write(fleet.screen(session, whole, fleet.problems(whole)))
        session.say(_next_steps(session, found))
        return
    data = {"daemon": plain(whole.daemon), "profile": plain(found), "api_url": profile_view.api_url(found)}
    session.renderer.single("Quickstart", data, name=found.name, text=lambda: "")


def _next_steps(session: Session, profile: profiles_pb2.Profile) -> str:
    """What the person can do now; every command can be pasted as it stands."""
    me = _command(session, profile)
    again = f"hermesctl quickstart -p {profile.name} --model MODEL --base-url URL"
    model = [] if profile.model else [("model", f"{me} setup"), ("or", session.runnable(again))]
    steps = [*model, ("chat", f"{me} chat"), ("look", session.runnable("hermesctl status")), *_api_steps(profile)]
    return "\nnext\n" + "\n".join(f"  {label:<11} {clean(text)}" for label, text in steps)


def _api_steps(profile: profiles_pb2.Profile) -> list[tuple[str, str]]:
    """How to call the agent's HTTP API, where it is on."""
    if not profile.api_server.enabled:
        return []
    env_file = f"{profile.path}/.env"
    key = f"$(sed -n 's/^{KEY_VARIABLE}=//p' '{env_file}')"
    call = f'curl -H "Authorization: Bearer {key}" {profile_view.api_url(profile)}/v1/models'
    return [("HTTP API", call), ("its key", f"{KEY_VARIABLE} in {env_file}")]


def _command(session: Session, profile: profiles_pb2.Profile) -> str:
    """The shortest way to call the profile's agent that works in this shell."""
    directory = str(session.places.home / ".local" / "bin")
    if profile.name in profile.aliases and directory in session.terminal.environment.get("PATH", "").split(":"):
        return profile.name
    return session.runnable(f"hermesctl -p {profile.name}")


def _current_runtime(session: Session) -> runtimes_pb2.Runtime | None:
    found = session.client.runtimes.ListRuntimes(runtimes_pb2.ListRuntimesRequest()).runtimes
    return next((runtime for runtime in found if runtime.is_current), None)


def _profile(session: Session, wanted: Wanted) -> profiles_pb2.Profile:
    return session.client.profiles.GetProfile(profiles_pb2.GetProfileRequest(profile=wanted.profile))


def _model(profile: profiles_pb2.Profile) -> tuple[str, str, str]:
    return (profile.model, profile.provider, profile.base_url)


def _done(session: Session, text: str) -> None:
    session.say(f"✓ {clean(text)}")
