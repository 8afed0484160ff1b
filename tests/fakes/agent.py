"""An agent that does what a test says. Passes the suite of `tests/contracts/test_agents.py`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hermesd.domain.agent import ApiServer, ModelEndpoint, ProfileFacts, Setup
from hermesd.domain.archive import Arrival, Secret
from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.cloning import CloneOrder, ClonePlan, Credential, Extent
from hermesd.domain.description import Description
from hermesd.domain.digests import digests
from hermesd.domain.errors import (
    ArgumentInvalid,
    Cancelled,
    ChangedMeanwhile,
    HermesError,
    Incompatible,
    PortInUse,
)
from hermesd.domain.gateway import Event
from hermesd.domain.grants import Grant
from hermesd.domain.listening import FIRST_API_PORT, PortMove
from hermesd.domain.logs import LogFile, Source
from hermesd.domain.masking import Mask, Masking
from hermesd.domain.process import ExitCause, ExitReport, ExitStatus, Foreign, Phase, Probe, ProcessIdentity, Sign
from hermesd.domain.profile import Home, ProfileName
from hermesd.domain.runtime import HERMES_AGENT, Launch, Runtime
from hermesd.domain.soul import Soul, soul_of
from hermesd.domain.usage import Holdings, Leftover
from tests.fakes.configfiles import MemoryConfigFiles

_REPORTS = {
    75: ExitReport(Event.RESTART_REQUESTED, ExitCause.RESTART_REQUESTED),
    78: ExitReport(Event.MISCONFIGURED, ExitCause.MISCONFIGURED),
}


class ScriptedAgent:
    """Answers from its public attributes, which tests set, keyed by profile name; remembers what it was told."""

    def __init__(self, kind: str = HERMES_AGENT) -> None:
        self.kind = kind
        self.config_files = MemoryConfigFiles()
        self.versions: dict[Path, str | HermesError] = {}
        """What an executable says of itself; others say `0.19.0`."""
        self.known_facts: dict[str, ProfileFacts] = {}
        self.usual_channels: tuple[str, ...] = ()
        """By what a home is reached whose facts name nothing, unless it is among the next."""
        self.without_channels: set[str] = set()
        """Homes whose gateways nothing could reach."""
        self.deaf: set[str] = set()
        """Homes whose gateways do not do what `drain` asks for."""
        self.lived_in: set[str] = set()
        """Homes in which an agent has worked."""
        self.refusals: dict[str, HermesError] = {}
        """What `check` raises."""
        self.setup_refusals: dict[str, HermesError] = {}
        """What `set_up` raises."""
        self.probes: dict[str, list[Probe]] = {}
        """What `probe` answers in turn, the last one for ever; ready at once without an entry."""
        self.exit_reports: dict[str, ExitReport] = {}
        """What `explain_exit` answers; by exit code without an entry."""
        self.foreign: dict[str, Foreign | int] = {}
        """Gateways that were started elsewhere, or just their pids."""
        self.signs: dict[str, tuple[Sign, ...]] = {}
        """What `probe` adds to whatever it answers, as it adds `beats`."""
        self.beats: dict[str, dict[str, float]] = {}
        self.drained: dict[str, bool] = {}
        """Whether each home was last asked to drain; `probe` says that it does."""
        self.drain_refusals: dict[str, HermesError] = {}
        """What `drain` raises."""
        self.refreshes = 0
        """How often `refresh` was called."""
        self.skills: Path | None = None
        self.hidden_settings: list[str] = []
        """Keys of secrets in the settings of every home."""
        self.arrival: Arrival | HermesError = Arrival(())
        """What `disarm` answers or raises."""
        self.secret_values: list[str] = []
        """What its homes hold and nobody may see."""
        self.known_secrets: dict[str, list[str]] = {}
        """What each home keeps secret."""
        self.logs: Sequence[LogFile] = (LogFile(Source.AGENT, "logs/agent.log"),)
        self.workplaces: dict[str, Path] = {}
        """Where commands must start."""
        self.announced: list[tuple[str, ProcessIdentity]] = []
        """Every `prepare_stop`, in order."""
        self.prepared: list[str] = []
        """Every `prepare_start`, in order."""
        self.preparing_refusal: HermesError | None = None
        """What `prepare_start` raises."""
        self.setups: list[tuple[str, Setup]] = []
        """Every `set_up` that was not refused, in order."""
        self.renamed: list[tuple[str, str]] = []
        """Every `follow_rename`, in order: the name before and the one after."""
        self.rename_leftovers: list[str] = []
        """What `follow_rename` cannot do."""
        self.known_holdings: dict[str, Holdings] = {}
        """What goes with each home."""
        self.known_leftovers: dict[str, list[Leftover]] = {}
        """What stays of each home."""
        self.naming_refusals: dict[str, HermesError] = {}
        """What `set_display_name` raises."""
        self.known_credentials: dict[str, list[Credential]] = {}
        """What platforms know each home's bots by."""
        self.known_claims: dict[str, list[Claim]] = {}
        """What each home's gateway needs for itself, beside the port of an API that its facts tell of."""
        self.moving_refusals: dict[str, HermesError] = {}
        """What `move_ports` raises."""
        self.known_grants: dict[str, list[Grant]] = {}
        """Logins that each home renews."""
        self.self_claimed: dict[str, int] = {}
        """Pids of who has claims by the agent's own locks, by key."""
        self.clones: list[tuple[str, str, CloneOrder]] = []
        """Every `clone`, in order: from which home, to which, and how."""
        self.without_skills: set[str] = set()
        """Homes that do without bundled skills."""
        self.clone_warnings: list[str] = []
        """What `clone` has to say."""
        self.settled: list[tuple[str, str]] = []
        """Every `settle_clone`, in order."""
        self.answers: dict[str, str | HermesError] = {}
        """What the agent of a home says that it is for; a sentence with its name without an entry."""
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        """Every `generate_description` that was not cancelled, in order, with its environment."""
        self.while_asked: Callable[[], None] = lambda: None
        """What happens meanwhile."""
        self.souls: dict[str, Soul] = {}
        self.writing_refusals: dict[str, HermesError] = {}
        """What `write_description` and `write_soul` raise."""

    def version(self, executable: Path) -> str:
        """The version set for the executable."""
        answer = self.versions.get(executable, "0.19.0")
        if isinstance(answer, HermesError):
            raise answer
        return answer

    def facts(self, home: Home) -> ProfileFacts:
        """The facts set for the home, and what `set_up` made of them."""
        facts = self.known_facts.get(home.name.text, ProfileFacts())
        is_told = facts.channels or home.name.text in self.without_channels
        return facts if is_told else replace(facts, channels=self.usual_channels)

    def log_files(self) -> Sequence[LogFile]:
        """Those that are set."""
        return self.logs

    def masking(self, home: Home) -> Masking:
        """Hides `secret_values`, and whatever looks like a credential."""
        return Mask({f"SECRET_{number}": value for number, value in enumerate(self.secret_values)})

    def secret_digests(self, home: Home, salt: bytes) -> frozenset[bytes]:
        """Of those set for the home."""
        return digests(salt, self.known_secrets.get(home.name.text, ()))

    def is_lived_in(self, home: Home) -> bool:
        """Whether it is among those set."""
        return home.name.text in self.lived_in

    def check(self, home: Home, *, is_running: bool) -> None:
        """Raises what is set for the home; a taken port only if the gateway does not run."""
        refusal = self.refusals.get(home.name.text)
        if refusal is None or (is_running and isinstance(refusal, PortInUse)):
            return
        raise refusal

    def launch(self, runtime: Runtime, home: Home) -> Launch:
        """A launch in the shape of the real one."""
        argv = (str(runtime.executable), "-p", home.name.text, "gateway", "run")
        return Launch(argv, {"HERMES_HOME": str(home.path)})

    def refresh(self) -> None:
        """Counts."""
        self.refreshes += 1

    def drain(self, home: Home, *, is_wanted: bool) -> None:
        """Remembers it, as far as an agent of this kind can be asked."""
        if self.kind != HERMES_AGENT:
            raise Incompatible(f"profile {home.name} runs a program that hermesd cannot drain")
        if refusal := self.drain_refusals.get(home.name.text):
            raise refusal
        self.drained[home.name.text] = is_wanted

    def probe(self, home: Home, process: ProcessIdentity) -> Probe:
        """The next probe set for the home."""
        name = home.name.text
        probe = self._next_probe(name)
        return replace(
            probe,
            signs=(*probe.signs, *self.signs.get(name, ())),
            beats={**probe.beats, **self.beats.get(name, {})},
            is_draining=probe.is_draining or (self.drained.get(name, False) and name not in self.deaf),
        )

    def _next_probe(self, name: str) -> Probe:
        script = self.probes.get(name)
        if not script:
            return Probe(Phase.READY)
        return script.pop(0) if len(script) > 1 else script[0]

    def prepare_start(self, home: Home) -> None:
        """Remembers that a start was prepared, or fails as it is set to."""
        self.prepared.append(home.name.text)
        if self.preparing_refusal is not None:
            raise self.preparing_refusal

    def prepare_stop(self, home: Home, process: ProcessIdentity) -> None:
        """Remembers that the stop was announced."""
        self.announced.append((home.name.text, process))

    def explain_exit(self, home: Home, process: ProcessIdentity, status: ExitStatus) -> ExitReport:
        """The report set for the home, else what the exit code asks for."""
        scripted = self.exit_reports.get(home.name.text)
        if scripted is not None:
            return scripted
        cause = ExitCause.UNKNOWN if status == ExitStatus() else ExitCause.CRASHED
        crash = ExitReport(Event.CRASHED, cause)
        return crash if status.code is None else _REPORTS.get(status.code, crash)

    def foreign_gateway(self, home: Home, own: ProcessIdentity | None) -> Foreign | None:
        """The gateway set for the home, unless it is the own one."""
        found = self.foreign.get(home.name.text)
        if isinstance(found, int):
            found = Foreign(found, resolution=f"kill -TERM {found}")
        return None if found is None or (own is not None and found.pid == own.pid) else found

    def command(self, runtime: Runtime, home: Home, arguments: Sequence[str]) -> Launch:
        """A command in the shape of the real one."""
        argv = (str(runtime.executable), "-p", home.name.text, *arguments)
        return Launch(argv, self.environment(home), self.workplaces.get(home.name.text))

    def environment(self, home: Home) -> Mapping[str, str]:
        """The home."""
        return {"HERMES_HOME": str(home.path)}

    def set_up(self, home: Home, setup: Setup, *, taken_ports: frozenset[int]) -> list[str]:
        """Changes the home's facts as the real one changes its files."""
        refusal = self.setup_refusals.get(home.name.text)
        if refusal is not None:
            raise refusal
        before = self.facts(home)
        after = _with_endpoint(before, setup.endpoint)
        if setup.enable_api_server and not before.api_server.is_enabled:
            after = replace(after, api_server=_api_server(setup.api_server_port, taken_ports))
        self.known_facts[home.name.text] = after
        self.setups.append((home.name.text, setup))
        return _differences(before, after)

    def set_display_name(self, home: Home, text: str) -> None:
        """Changes the home's facts, unless it is refused."""
        if refusal := self.naming_refusals.get(home.name.text):
            raise refusal
        self.known_facts[home.name.text] = replace(self.facts(home), display_name=text)

    def holdings(self, home: Home) -> Holdings:
        """Those set for the home."""
        return self.known_holdings.get(home.name.text, Holdings())

    def leftovers(self, home: Home) -> list[Leftover]:
        """Those set for the home."""
        return list(self.known_leftovers.get(home.name.text, []))

    def follow_rename(self, before: Home, after: Home) -> list[str]:
        """Remembers the names, and says what is set."""
        self.renamed.append((before.name.text, after.name.text))
        return list(self.rename_leftovers)

    def credentials(self, home: Home) -> list[Credential]:
        """Those set for the home."""
        return self.known_credentials.get(home.name.text, [])

    def claims(self, home: Home) -> list[Claim]:
        """Those set for the home, and the port of its API."""
        known = self.known_claims.get(home.name.text, [])
        api = self.facts(home).api_server
        if not api.is_enabled or any(claim.platform == "api_server" for claim in known):
            return list(known)
        return [*known, Claim(ClaimKind.PORT, "api_server", "API_SERVER_PORT", port=api.port)]

    def move_ports(self, home: Home, moves: Sequence[PortMove]) -> list[PortMove]:
        """Changes what the home claims, unless it is refused."""
        if self.kind != HERMES_AGENT:
            return []
        if refusal := self.moving_refusals.get(home.name.text):
            raise refusal
        claims = self.claims(home)
        used = [move for move in moves if (move.claim.platform, move.claim.port) in _ports_in(claims)]
        new = {(move.claim.platform, move.claim.port): move.port for move in used}
        self.known_claims[home.name.text] = [
            replace(claim, port=new[claim.platform, claim.port], is_usual=False)
            if (claim.platform, claim.port) in new
            else claim
            for claim in claims
        ]
        facts = self.facts(home)
        if port := new.get(("api_server", facts.api_server.port)):
            self.known_facts[home.name.text] = replace(facts, api_server=replace(facts.api_server, port=port))
        return used

    def grants(self, home: Home) -> list[Grant]:
        """Those set for the home."""
        return list(self.known_grants.get(home.name.text, []))

    def claimed_by_itself(self, claims: Iterable[Claim], environment: Mapping[str, str]) -> Mapping[str, int]:
        """Those set."""
        return {claim.key: self.self_claimed[claim.key] for claim in claims if claim.key in self.self_claimed}

    def plan_clone(self, source: Home, order: CloneOrder) -> ClonePlan:
        """A plan that says how much is taken over."""
        held = tuple(self.claims(source)) if order.has_channels else ()
        grants = tuple(self.grants(source)) if order.extent is Extent.EVERYTHING else ()
        is_seeded = source.name.text not in self.without_skills
        return ClonePlan((f"{order.extent} of {source.name}",), is_seeded=is_seeded, claims=held, grants=grants)

    def clone(
        self, source: Home, name: ProfileName, target: Path, order: CloneOrder, is_cancelled: Callable[[], bool]
    ) -> list[str]:
        """Remembers what was cloned, and gives the clone its source's credentials and facts."""
        self.clones.append((source.name.text, name.text, order))
        self.known_facts[name.text] = self.facts(source)
        if order.extent is Extent.EVERYTHING:
            self.known_grants[name.text] = self.grants(source)
        if order.has_channels:
            self.known_credentials[name.text] = self.credentials(source)
            self.known_claims[name.text] = self.claims(source)
        return list(self.clone_warnings)

    def settle_clone(self, source: Home, home: Home) -> list[str]:
        """Remembers the names."""
        self.settled.append((source.name.text, home.name.text))
        return []

    def secrets(self, home: Home) -> list[Secret]:
        """What each home keeps secret, as variables of a file."""
        return [
            Secret(home.name.text, ".env", "A_TOKEN", value)
            for value in self.known_secrets.get(home.name.text, [])
        ]

    def hide_settings(self, staged: Path, *, is_written: bool) -> list[str]:
        """What a test says is in the settings."""
        return list(self.hidden_settings)

    def disarm(self, staged: Home) -> Arrival:
        """What a test says could act, in every home."""
        if isinstance(self.arrival, HermesError):
            raise self.arrival
        return self.arrival

    def write_description(self, home: Home, wanted: Description, *, keeps_persons: bool) -> None:
        """Changes the home's facts."""
        self._refuse_writing(home)
        facts = self.facts(home)
        found = Description(facts.description, facts.description_is_generated)
        if keeps_persons and found.is_persons and found != wanted:
            raise ChangedMeanwhile("cannot write it: a person has described the profile")
        self.known_facts[home.name.text] = replace(
            facts, description=wanted.text, description_is_generated=wanted.is_generated
        )

    def generate_description(
        self, runtime: Runtime, home: Home, environment: Mapping[str, str], is_cancelled: Callable[[], bool]
    ) -> str:
        """Says what is set."""
        if self.kind != HERMES_AGENT:
            raise Incompatible(f"profile {home.name} runs a program that cannot describe it")
        if is_cancelled():
            raise Cancelled(f"describing '{home.name}' was cancelled")
        self.asked.append((home.name.text, environment))
        self.while_asked()
        answer = self.answers.get(home.name.text, f"Does what {home.name} does.")
        if isinstance(answer, HermesError):
            raise answer
        return answer

    def read_soul(self, home: Home) -> Soul:
        """The one that was written."""
        return self.souls.get(home.name.text, Soul())

    def write_soul(self, home: Home, text: str, revision: str | None) -> Soul:
        """Remembers it."""
        self._refuse_writing(home)
        if revision not in (None, self.read_soul(home).revision):
            raise ChangedMeanwhile("cannot write SOUL.md: somebody changed it meanwhile")
        self.souls[home.name.text] = soul_of(text.encode())
        return self.souls[home.name.text]

    def _refuse_writing(self, home: Home) -> None:
        if refusal := self.writing_refusals.get(home.name.text):
            raise refusal

    def bundled_skills(self, runtime: Runtime) -> Path | None:
        """The directory set."""
        return self.skills


def _ports_in(claims: Iterable[Claim]) -> set[tuple[str, int]]:
    return {(claim.platform, claim.port) for claim in claims if claim.kind is ClaimKind.PORT}


def _with_endpoint(facts: ProfileFacts, endpoint: ModelEndpoint | None) -> ProfileFacts:
    if endpoint is None:
        return facts
    if endpoint.base_url and not endpoint.base_url.startswith(("http://", "https://")):
        raise ArgumentInvalid(f"'{endpoint.base_url}' is not an address of a model")
    return replace(
        facts,
        model=endpoint.model or facts.model,
        base_url=endpoint.base_url or facts.base_url,
        provider="custom" if endpoint.base_url else facts.provider,
    )


def _api_server(asked_port: int, taken_ports: frozenset[int]) -> ApiServer:
    if asked_port in taken_ports:
        raise PortInUse(f"port {asked_port} is in use", port=str(asked_port))
    free = next(port for port in range(FIRST_API_PORT, 65536) if port not in taken_ports)
    return ApiServer(is_enabled=True, port=asked_port or free)


def _differences(before: ProfileFacts, after: ProfileFacts) -> list[str]:
    changes = []
    if after.model != before.model:
        changes.append(f"model is {after.model}")
    if after.base_url != before.base_url:
        changes.append(f"model address is {after.base_url}")
    if after.api_server != before.api_server:
        changes.append(f"API server listens on {after.api_server.host}:{after.api_server.port}")
    return changes
