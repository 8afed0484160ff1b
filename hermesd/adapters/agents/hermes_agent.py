"""hermes-agent as an agent: the port's methods, each handed to the module that owns its matter.

Owns: how gateways and commands are started (hermes-agent 0.18.2 and 0.19.0; other versions count as the nearer
of the two). Must not know when, or who keeps the processes.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from hermesd.adapters import profilefiles
from hermesd.adapters.agents import (
    hermes_about,
    hermes_api,
    hermes_arrival,
    hermes_channels,
    hermes_claims,
    hermes_clone,
    hermes_config,
    hermes_describe,
    hermes_drain,
    hermes_foreign,
    hermes_grants,
    hermes_holdings,
    hermes_locks,
    hermes_plan,
    hermes_ports,
    hermes_rename,
    hermes_setup,
    hermes_sources,
    hermes_state,
)
from hermesd.adapters.agents.hermes_clone import Clone
from hermesd.adapters.agents.hermes_config import HermesConfigFiles
from hermesd.adapters.agents.hermes_facts import read_facts
from hermesd.adapters.agents.hermes_files import CONFIG, ENV, LOG_FILES, SKILL, variables
from hermesd.adapters.agents.hermes_look import Looks
from hermesd.adapters.agents.hermes_overlay import SITE
from hermesd.adapters.agents.hermes_terminal import (
    WORKPLACE_VARIABLE,
    is_conversation,
    no_workplace,
    read_workplace,
)
from hermesd.adapters.agents.hermes_version import ask_version, has_supervisor_flag
from hermesd.adapters.agents.hermes_watchdog import WATCHDOG_S, Watchdog
from hermesd.adapters.agents.homesecrets import read_secrets
from hermesd.adapters.dotenvfile import read_env
from hermesd.adapters.secretvalues import HomeMasking, HomeSecrets
from hermesd.adapters.treecopy import WORKERS
from hermesd.adapters.yamlfile import read_yaml
from hermesd.domain.agent import ProfileFacts, Setup
from hermesd.domain.archive import Arrival, Secret
from hermesd.domain.claims import Claim
from hermesd.domain.cloning import CloneOrder, ClonePlan, Credential
from hermesd.domain.configuration import ConfigFile
from hermesd.domain.description import Description
from hermesd.domain.grants import Grant
from hermesd.domain.listening import PortMove
from hermesd.domain.logs import LogFile
from hermesd.domain.masking import Masking
from hermesd.domain.process import ExitReport, ExitStatus, Foreign, Probe, ProcessIdentity
from hermesd.domain.profile import Home, ProfileName
from hermesd.domain.runtime import HERMES_AGENT, Launch, Runtime
from hermesd.domain.soul import Soul
from hermesd.domain.usage import Holdings, Leftover

_SECRETS = HomeSecrets(hermes_sources.ENV_FILES, hermes_sources.written)


class HermesAgent:
    """Drives hermes-agent."""

    kind = HERMES_AGENT

    def __init__(
        self,
        user_home: Path | None = None,
        *,
        copy_workers: int = WORKERS,
        notify_address: str = "",
        overlay: Path | None = None,
        site: Path = SITE,
        watchdog_s: float = WATCHDOG_S,
    ) -> None:
        """`user_home` is where libraries of the agent keep what all profiles share; `None` leaves that alone.

        Gateways notify `notify_address`, as far as they can. That takes settings put into `overlay`, which stands
        in for `site`, the directory of whatever is managed on this machine.
        """
        self._user_home = user_home
        self._copy_workers = copy_workers
        self._watchdog = Watchdog(notify_address, overlay, site, user_home, watchdog_s)
        self._looks = Looks()
        self.config_files = HermesConfigFiles()

    def version(self, executable: Path) -> str:
        """What the executable says, asked without leaving a trace in any home."""
        return ask_version(executable)

    def facts(self, home: Home) -> ProfileFacts:
        """Read from the files a person edits; never runs anything, never opens `state.db`."""
        return read_facts(home.path)

    def log_files(self) -> Sequence[LogFile]:
        """The ones that are always the same; those of its dashboard and of single commands are not among them."""
        return LOG_FILES

    def masking(self, home: Home) -> Masking:
        """By its `.env`."""
        return HomeMasking(home.path)

    def secret_digests(self, home: Home, salt: bytes) -> frozenset[bytes]:
        """Of its `.env`, and what stands in for it."""
        return _SECRETS.digests(home.path, salt)

    def is_lived_in(self, home: Home) -> bool:
        """By its database, or a gateway's report."""
        return hermes_state.is_lived_in(home.path)

    def check(self, home: Home, *, is_running: bool) -> None:
        """Stricter than the agent, which starts on defaults if its configuration is damaged (0.19.0)."""
        config, env = read_yaml(home.path / CONFIG), read_env(home.path / ENV)
        if not is_running:
            hermes_ports.check_ports(home.path, hermes_api.read_api_server(config, variables(config, env)))

    def launch(self, runtime: Runtime, home: Home) -> Launch:
        """The profile stands in the arguments: the agent takes a gateway without one for the default profile's."""
        supervised = ("--external-supervisor",) if has_supervisor_flag(runtime.version) else ()
        environment = {
            **self._pinned(runtime, home),
            "HERMES_GATEWAY_MAX_STARTS": "0",  # its own brake would sleep on top of our delays
            "HERMES_GATEWAY_EXTERNAL_SUPERVISOR": "1",
            "PYTHONUNBUFFERED": "1",  # or its last words die with it in a buffer
        }
        if not supervised:
            # What makes 0.18.2 hand an in-chat restart to us with 75, instead of starting a replacement that
            # nobody supervises. INVOCATION_ID would do it too, but then it asks systemd about a unit of its own,
            # and container tools that it runs believe to be in one.
            environment["XPC_SERVICE_NAME"] = "hermesd"
        watchdog = self._watchdog.environment(runtime.version, home)
        argv = _argv(runtime, home, ("gateway", "run", *supervised, "-q"))
        return Launch(argv, environment | watchdog, has_watchdog=bool(watchdog))

    def refresh(self) -> None:
        """Has the copy of the site's managed settings, which gateways read, follow them.

        Raises `DiskFull`, `NotPermitted`.
        """
        self._watchdog.refresh()

    def probe(self, home: Home, process: ProcessIdentity) -> Probe:
        """By the gateway's own report, its heartbeat and its API's answer."""
        return self._looks.look(home.path, process)

    def prepare_start(self, home: Home) -> None:
        """By its report, which came along if the home is a copy of one whose gateway runs."""
        hermes_foreign.disown(home.path)

    def prepare_stop(self, home: Home, process: ProcessIdentity) -> None:
        """Writes the marker of a planned stop. Raises `DiskFull`, `NotPermitted`."""
        hermes_state.announce_stop(home.path, process)

    def drain(self, home: Home, *, is_wanted: bool) -> None:
        """By a request in the home, which outlives the gateway but not the machine."""
        ask = hermes_drain.request_drain if is_wanted else hermes_drain.withdraw_drain
        ask(home.path)

    def explain_exit(self, home: Home, process: ProcessIdentity, status: ExitStatus) -> ExitReport:
        """By exit code; where the kernel no longer tells, by what the gateway last reported."""
        return hermes_state.explain_exit(home.path, process, status, self.masking(home))

    def foreign_gateway(self, home: Home, own: ProcessIdentity | None) -> Foreign | None:
        """By the record in the home, the process's start time and the lock it holds."""
        return hermes_foreign.foreign_gateway(home.path, own)

    def command(self, runtime: Runtime, home: Home, arguments: Sequence[str]) -> Launch:
        """Conversations start in the home's `terminal.cwd`, which the agent ignores in some of them.

        Other commands, whose arguments may be paths, stay where they were called and are only told of it.
        """
        environment, argv = self._pinned(runtime, home), _argv(runtime, home, arguments)
        workplace = read_workplace(home.path)
        is_there = workplace is not None and os.path.isdir(workplace)  # noqa: PTH112 - it never raises
        if workplace is None or not (is_there or is_conversation(arguments)):
            return Launch(argv, environment)
        if not is_there:
            raise no_workplace(home, workplace)
        environment[WORKPLACE_VARIABLE] = str(workplace)
        return Launch(argv, environment, workplace if is_conversation(arguments) else None)

    def environment(self, home: Home) -> Mapping[str, str]:
        """The agent finds the root from the home: its grandparent below `profiles`, else the home itself."""
        return {"HERMES_HOME": str(home.path)}

    def set_up(self, home: Home, setup: Setup, *, taken_ports: frozenset[int]) -> list[str]:
        """Changes `config.yaml` and `.env` key by key."""
        return hermes_setup.set_up(home.path, setup, taken_ports)

    def move_ports(self, home: Home, moves: Sequence[PortMove]) -> list[PortMove]:
        """In the variable or the key that is read."""
        return hermes_ports.move_ports(home.path, moves)

    def set_display_name(self, home: Home, text: str) -> None:
        """In `profile.yaml`, where the agent keeps what it does not know."""
        hermes_about.set_display_name(home, text)

    def holdings(self, home: Home) -> Holdings:
        """Conversations are counted by a program of their own."""
        return hermes_holdings.read_holdings(home)

    def leftovers(self, home: Home) -> list[Leftover]:
        """The service units that it installs."""
        return list(hermes_holdings.service_units(home, self._user_home))

    def follow_rename(self, before: Home, after: Home) -> list[str]:
        """Honcho's blocks, cron jobs, the workplace, sessions, routing and task boards."""
        return hermes_rename.follow_rename(before, after, self._user_home)

    def credentials(self, home: Home) -> list[Credential]:
        """Of `.env`, the configuration and logins of platforms that keep a directory of their own."""
        return hermes_channels.read_credentials(home.path)

    def claims(self, home: Home) -> list[Claim]:
        """By the table of exclusivity, for the platforms that its files turn on, and the port of its API."""
        return hermes_claims.read_claims(home.path)

    def grants(self, home: Home) -> list[Grant]:
        """Of `auth.json`, of Anthropic's file and of MCP servers."""
        return hermes_grants.read_grants(home.path)

    def claimed_by_itself(self, claims: Iterable[Claim], environment: Mapping[str, str]) -> Mapping[str, int]:
        """By the files that its gateways make for tokens."""
        return hermes_locks.read_holders(claims, environment)

    def plan_clone(self, source: Home, order: CloneOrder) -> ClonePlan:
        """By what lies at the top of the home."""
        return hermes_plan.plan_clone(Clone(source, source.name, source.path, order, self._user_home))

    def clone(
        self, source: Home, name: ProfileName, target: Path, order: CloneOrder, is_cancelled: Callable[[], bool]
    ) -> list[str]:
        """Copies what belongs to the profile, then brings it to its own name and place."""
        clone = Clone(source, name, target, order, self._user_home)
        return hermes_clone.make_clone(clone, is_cancelled, workers=self._copy_workers)

    def settle_clone(self, source: Home, home: Home) -> list[str]:
        """Honcho's block, in the root or in what all programs share."""
        return hermes_clone.settle(source, home, self._user_home)

    def secrets(self, home: Home) -> list[Secret]:
        """Of its variables, its configuration and every login."""
        return read_secrets(home)

    def hide_settings(self, staged: Path, *, is_written: bool) -> list[str]:
        """Of `config.yaml`, values by their keys and what reads like a setting in a comment."""
        return hermes_config.hide_settings(staged / ConfigFile.CONFIG, is_written=is_written)

    def disarm(self, staged: Home) -> Arrival:
        """Hooks, plugins, jobs, servers of tools, and settings that run something or lower a guard."""
        return hermes_arrival.disarm(staged)

    def write_description(self, home: Home, wanted: Description, *, keeps_persons: bool) -> None:
        """In profile.yaml."""
        profilefiles.write_description(home.path, wanted, keeps_persons=keeps_persons)

    def generate_description(
        self, runtime: Runtime, home: Home, environment: Mapping[str, str], is_cancelled: Callable[[], bool]
    ) -> str:
        """By the agent's own command for it, which asks what `auxiliary.profile_describer` says, or its model."""
        own = {**environment, **self._pinned(runtime, home)}
        return hermes_describe.generate_description(runtime, home, own, is_cancelled)

    def read_soul(self, home: Home) -> Soul:
        """Its SOUL.md, which the agent reads when a conversation begins, and keeps with it (0.19.0)."""
        return profilefiles.read_soul(home.path)

    def write_soul(self, home: Home, text: str, revision: str | None) -> Soul:
        """Its SOUL.md."""
        return profilefiles.write_soul(home.path, text, revision)

    def bundled_skills(self, runtime: Runtime) -> Path | None:
        """Where the agent itself looks, in a wheel's environment or in a source checkout; none that is empty."""
        prefix = runtime.executable.resolve().parent.parent
        candidates = [prefix / "skills", *sorted(prefix.glob("lib/python3*/site-packages/skills"))]
        if (prefix.parent / "hermes_cli").is_dir():  # a checkout, and not a home that an environment lies in
            candidates.append(prefix.parent / "skills")
        return next((path for path in candidates if next(path.rglob(SKILL), None) is not None), None)

    def _pinned(self, runtime: Runtime, home: Home) -> dict[str, str]:
        environment = {**self.environment(home), **self._watchdog.managed()}
        if runtime.is_managed:
            environment["HERMES_DISABLE_LAZY_INSTALLS"] = (
                "1"  # what is locked must not be added to behind our back
            )
        return environment


def _argv(runtime: Runtime, home: Home, arguments: Sequence[str]) -> tuple[str, ...]:
    return (str(runtime.executable), "-p", home.name.text, *arguments)
