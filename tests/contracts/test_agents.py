"""What every agent promises, fake or real."""

import fcntl
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from hermesd.adapters.agents.command import CommandAgent
from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.domain import layout
from hermesd.domain.agent import Agent, ModelEndpoint, ProfileFacts, Setup
from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.cloning import CloneOrder, Credential, Extent
from hermesd.domain.description import Description
from hermesd.domain.digests import digest
from hermesd.domain.errors import ArgumentInvalid, Cancelled, ChangedMeanwhile, Incompatible, PortInUse
from hermesd.domain.gateway import Event
from hermesd.domain.grants import Grant, Renewal
from hermesd.domain.listening import FIRST_API_PORT, PortMove
from hermesd.domain.process import ExitCause, ExitStatus, Phase, Probe, Sign
from hermesd.domain.profile import Home, ProfileName
from hermesd.domain.runtime import COMMAND, HERMES_AGENT, Runtime
from hermesd.domain.soul import Soul
from tests.adapters.hermes_homes import beat, home_at, myself, platform, report
from tests.fakes.agent import ScriptedAgent
from tests.faults.injection import snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

PROGRAM = ("/opt/program", "--serve")
OLLAMA = "http://127.0.0.1:11434/v1"


@dataclass(frozen=True)
class Subject:
    """An agent under test, with a runtime of its kind."""

    agent: Agent
    runtime: Runtime

    @property
    def has_commands(self) -> bool:
        """Whether it is an agent rather than just a program."""
        return self.agent.kind == HERMES_AGENT

    @property
    def no_facts(self) -> ProfileFacts:
        """What is said of a home that says nothing: a program may always be reached by something."""
        return ProfileFacts() if self.has_commands else ProfileFacts(channels=(COMMAND,))


def subjects() -> dict[str, Agent]:
    """The fake and every adapter."""
    return {
        "scripted": ScriptedAgent(),
        "scripted command": ScriptedAgent(COMMAND),
        "command": CommandAgent({"coder": PROGRAM}),
        "hermes": HermesAgent(),
    }


@pytest.fixture(params=["scripted", "command", "hermes"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each agent in turn."""
    agent = subjects()[request.param]
    runtime = Runtime("r", agent.kind, "0.19.0", Path("/opt/agent/bin/agent"), is_managed=True)
    return Subject(agent, runtime)


@pytest.fixture(params=["scripted", "hermes"])
def agent(request: pytest.FixtureRequest) -> Agent:
    """Each agent that can be set up."""
    return subjects()[request.param]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return home_at(tmp_path / "profiles" / "coder")


def api_setup(port: int = 0) -> Setup:
    """A wish for an API."""
    return Setup(enable_api_server=True, api_server_port=port)


def test_an_agent_has_the_kind_it_is_known_by(subject: Subject) -> None:
    """Runtimes name it."""
    assert subject.agent.kind in {HERMES_AGENT, COMMAND}


def test_facts_of_an_empty_home_are_empty(subject: Subject, home: Home) -> None:
    """Nothing is made up, nothing is a problem."""
    assert subject.agent.facts(home) == subject.no_facts


def test_facts_of_a_home_that_is_gone_are_no_failure(subject: Subject, tmp_path: Path) -> None:
    """It may vanish between being found and being read."""
    facts = subject.agent.facts(Home(home_at(tmp_path).name, tmp_path / "gone", home_at(tmp_path).identity))
    assert facts == subject.no_facts


def test_a_fresh_home_is_not_lived_in(subject: Subject, home: Home) -> None:
    """Neither an empty one, nor one that was made and never used, nor one that is gone."""
    assert not subject.agent.is_lived_in(home)
    for name, text in layout.fresh_files(description="Writes code", with_skills=False).items():
        (home.path / name).write_text(text)
    for name in layout.DIRECTORIES:
        (home.path / name).mkdir()
    assert not subject.agent.is_lived_in(home)
    assert not subject.agent.is_lived_in(replace(home, path=home.path / "gone"))


@pytest.mark.parametrize("name", ["state.db", "gateway_state.json"])
def test_a_home_in_which_an_agent_has_worked_is_lived_in(name: str, subject: Subject, home: Home) -> None:
    """Its database or its gateway's report tells, readable or not."""
    if isinstance(subject.agent, ScriptedAgent):
        subject.agent.lived_in.add(home.name.text)
    (home.path / name).write_text("")
    assert subject.agent.is_lived_in(home)


def test_an_empty_home_may_be_started(subject: Subject, home: Home) -> None:
    """Whether or not it runs already."""
    subject.agent.check(home, is_running=False)
    subject.agent.check(home, is_running=True)


def test_a_launch_pins_the_home(subject: Subject, home: Home) -> None:
    """An absolute program, and the home in the environment: nothing depends on who starts it."""
    launch = subject.agent.launch(subject.runtime, home)
    assert Path(launch.argv[0]).is_absolute()
    assert launch.environment["HERMES_HOME"] == str(home.path)
    assert "--replace" not in launch.argv
    if subject.has_commands:
        assert launch.argv[:3] == ("/opt/agent/bin/agent", "-p", "coder")


def test_a_command_is_run_for_the_home_or_refused(subject: Subject, home: Home) -> None:
    """With its arguments at the end."""
    if not subject.has_commands:
        with pytest.raises(Incompatible, match="no commands"):
            subject.agent.command(subject.runtime, home, ["-z", "hi"])
        return
    launch = subject.agent.command(subject.runtime, home, ["-z", "hi"])
    assert launch.argv == ("/opt/agent/bin/agent", "-p", "coder", "-z", "hi")
    assert launch.environment["HERMES_HOME"] == str(home.path)


def test_any_program_can_be_made_one_of_the_home(subject: Subject, home: Home) -> None:
    """It is told the home, and nothing else."""
    assert dict(subject.agent.environment(home)) == {"HERMES_HOME": str(home.path)}


def test_a_gateway_becomes_ready_without_further_detail(subject: Subject, home: Home) -> None:
    """Once it says so."""
    report(home, "running")
    probe = subject.agent.probe(home, myself())
    assert (probe.phase, probe.detail) == (Phase.READY, "")


def test_a_healthy_gateway_shows_no_trouble(subject: Subject, home: Home) -> None:
    """Nothing that is not well, no drain, no turns, and no beat that nobody left."""
    report(home, "running")
    probe = subject.agent.probe(home, myself())
    assert [sign for sign in probe.signs if not sign.is_well] == []
    assert (probe.is_draining, probe.active_turns, dict(probe.beats)) == (False, 0, {})


def test_signs_and_beats_are_told_of_a_gateway_that_is_up(agent: Agent, home: Home) -> None:
    """Each layer as the agent names it, and a beat by the monotonic clock of this machine."""
    at_s = time.monotonic()
    report(home, "running", platforms={"telegram": platform("retrying", "no route")})
    beat(home, at_s)
    if isinstance(agent, ScriptedAgent):
        telegram = Sign("telegram", False, "retrying", "no route", at_s=time.time(), is_platform=True)
        agent.probes["coder"] = [Probe(Phase.DEGRADED, "telegram: no route")]
        agent.signs["coder"], agent.beats["coder"] = (telegram,), {"heartbeat": at_s}
    probe = agent.probe(home, myself())
    assert (probe.phase, probe.detail) == (Phase.DEGRADED, "telegram: no route")
    (sign,) = probe.signs
    assert (sign.name, sign.is_well, sign.word, sign.detail) == ("telegram", False, "retrying", "no route")
    assert (sign.is_platform, sign.is_mended_by_restart) == (True, False)
    assert sign.at_s is not None
    assert abs(sign.at_s - time.time()) < 60
    assert dict(probe.beats) == {"heartbeat": at_s}


def test_a_drain_can_be_asked_for_and_withdrawn_again(subject: Subject, home: Home) -> None:
    """By agents that can be asked; the gateway tells when it does, and a second time is no failure."""
    if not subject.has_commands:
        with pytest.raises(Incompatible, match="cannot drain"):
            subject.agent.drain(home, is_wanted=True)
        return
    for is_wanted in (True, True, False, False):
        subject.agent.drain(home, is_wanted=is_wanted)
        report(home, "draining" if is_wanted else "running")
        assert subject.agent.probe(home, myself()).is_draining == is_wanted


def test_what_reaches_a_gateway_is_named(subject: Subject, home: Home) -> None:
    """Sorted, each once."""
    (home.path / ".env").write_text("TELEGRAM_BOT_TOKEN=1:a\nDISCORD_BOT_TOKEN=x\n")
    if isinstance(subject.agent, ScriptedAgent):
        subject.agent.known_facts["coder"] = ProfileFacts(channels=("discord", "telegram"))
    named = ("discord", "telegram") if subject.has_commands else (COMMAND,)
    assert subject.agent.facts(home).channels == named


def test_what_gateways_share_is_refreshed_without_a_word(subject: Subject) -> None:
    """As often as anybody likes, with nothing to do too."""
    subject.agent.refresh()
    subject.agent.refresh()


def test_a_launch_asks_for_no_notifications_unless_somebody_listens(subject: Subject, home: Home) -> None:
    """The agent would be waited for in vain."""
    launch = subject.agent.launch(subject.runtime, home)
    assert not launch.has_watchdog
    assert "NOTIFY_SOCKET" not in launch.environment


def test_preparing_a_start_changes_nothing_in_a_home_at_rest(subject: Subject, home: Home) -> None:
    """Nor the second time, which may be needed by the daemon after this one."""
    report(home, "running", pid=1 << 23)
    before = snapshot(home.path)
    subject.agent.prepare_start(home)
    subject.agent.prepare_start(home)
    assert snapshot(home.path) == before


def test_a_stop_can_be_announced_again(subject: Subject, home: Home) -> None:
    """The daemon may have died after the first time."""
    subject.agent.prepare_stop(home, myself())
    subject.agent.prepare_stop(home, myself())


@pytest.mark.parametrize(
    ("status", "event", "cause"),
    [
        (ExitStatus(code=75), Event.RESTART_REQUESTED, ExitCause.RESTART_REQUESTED),
        (ExitStatus(code=78), Event.MISCONFIGURED, ExitCause.MISCONFIGURED),
        (ExitStatus(code=0), Event.CRASHED, ExitCause.CRASHED),
        (ExitStatus(code=1), Event.CRASHED, ExitCause.CRASHED),
        (ExitStatus(signal=9), Event.CRASHED, ExitCause.CRASHED),
    ],
)
def test_an_end_means_the_same_for_every_agent(
    subject: Subject, home: Home, status: ExitStatus, event: Event, cause: ExitCause
) -> None:
    """An exit nobody asked for is a crash, also with 0."""
    told = subject.agent.explain_exit(home, myself(), status)
    assert (told.event, told.cause) == (event, cause)


def test_an_end_that_nobody_saw_is_a_crash(subject: Subject, home: Home) -> None:
    """Of unknown cause."""
    told = subject.agent.explain_exit(home, myself(), ExitStatus())
    assert (told.event, told.cause) == (Event.CRASHED, ExitCause.UNKNOWN)


def test_an_empty_home_has_no_foreign_gateway(subject: Subject, home: Home) -> None:
    """With or without one of our own."""
    assert subject.agent.foreign_gateway(home, None) is None
    assert subject.agent.foreign_gateway(home, myself()) is None


@contextmanager
def gateway_of_this_process(agent: Agent, home: Home) -> Iterator[None]:
    """This test process is a gateway of the home that hermesd did not start."""
    if isinstance(agent, ScriptedAgent):
        agent.foreign[home.name.text] = myself().pid
        yield
        del agent.foreign[home.name.text]
        return
    with (home.path / "gateway.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (home.path / "gateway.pid").write_text(str(myself().pid))
        yield


def test_a_foreign_gateway_is_found_with_the_line_that_ends_it(agent: Agent, home: Home) -> None:
    """For as long as it runs; our own is none."""
    with gateway_of_this_process(agent, home):
        found = agent.foreign_gateway(home, None)
        assert found is not None
        assert found.pid == myself().pid
        assert found.resolution.split()
        assert agent.foreign_gateway(home, myself()) is None
    assert agent.foreign_gateway(home, None) is None


def test_a_runtime_without_skills_brings_none(subject: Subject) -> None:
    """Rather than an empty directory."""
    assert subject.agent.bundled_skills(subject.runtime) is None


def test_setting_up_shows_in_the_facts(agent: Agent, home: Home) -> None:
    """And is told, one change a sentence."""
    changes = agent.set_up(home, Setup(ModelEndpoint("m", OLLAMA), True), taken_ports=frozenset())
    facts = agent.facts(home)
    assert (facts.model, facts.base_url, facts.provider) == ("m", OLLAMA, "custom")
    assert facts.api_server.is_enabled
    assert len(changes) >= 3


def test_setting_up_again_changes_nothing(agent: Agent, home: Home) -> None:
    """The same wish twice is one wish."""
    setup = Setup(ModelEndpoint("m", OLLAMA), True)
    agent.set_up(home, setup, taken_ports=frozenset())
    facts = agent.facts(home)
    assert agent.set_up(home, setup, taken_ports=frozenset()) == []
    assert agent.set_up(home, Setup(), taken_ports=frozenset()) == []
    assert agent.facts(home) == facts


def test_empty_fields_keep_what_is_there(agent: Agent, home: Home) -> None:
    """A new model leaves the address alone."""
    agent.set_up(home, Setup(ModelEndpoint("m", OLLAMA)), taken_ports=frozenset())
    agent.set_up(home, Setup(ModelEndpoint("other")), taken_ports=frozenset())
    assert (agent.facts(home).model, agent.facts(home).base_url) == ("other", OLLAMA)


def test_a_port_of_another_profile_is_never_taken(agent: Agent, home: Home) -> None:
    """Neither by chance nor on demand."""
    taken = frozenset({FIRST_API_PORT})
    with pytest.raises(PortInUse) as failure:
        agent.set_up(home, api_setup(FIRST_API_PORT), taken_ports=taken)
    assert failure.value.metadata["port"] == str(FIRST_API_PORT)
    agent.set_up(home, api_setup(), taken_ports=taken)
    assert agent.facts(home).api_server.port > FIRST_API_PORT


def test_an_address_that_is_none_is_refused(agent: Agent, home: Home) -> None:
    """And nothing is changed."""
    with pytest.raises(ArgumentInvalid):
        agent.set_up(home, Setup(ModelEndpoint("m", "not-an-address"), True), taken_ports=frozenset())
    assert agent.facts(home) == ProfileFacts()


def test_a_program_cannot_be_set_up(home: Home) -> None:
    """Nobody knows how."""
    with pytest.raises(Incompatible):
        subjects()["command"].set_up(home, api_setup(), taken_ports=frozenset())


def test_a_program_is_started_as_the_settings_say(home: Home, tmp_path: Path) -> None:
    """Word for word; a profile without one is refused."""
    program = subjects()["command"]
    runtime = Runtime("r", COMMAND, "", Path(sys.executable), is_managed=False)
    assert program.launch(runtime, home).argv == PROGRAM
    assert program.version(Path(sys.executable)) == ""
    with pytest.raises(Incompatible, match="settings"):
        program.launch(runtime, home_at(tmp_path / "other", "other"))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where a clone is being made."""
    made = tmp_path / "profiles" / ".hermesd" / "new" / "work-1"
    made.mkdir(parents=True)
    return made


WORK = ProfileName("work")
ORDERS = [CloneOrder(extent, has_channels=keeps) for extent in Extent for keeps in (True, False)]


@pytest.mark.parametrize("order", ORDERS)
def test_an_empty_home_can_be_cloned_without_a_word(
    subject: Subject, home: Home, target: Path, order: CloneOrder
) -> None:
    """Nothing in it connects to a platform, nothing is paused, and nothing is made beside homes."""
    plan = subject.agent.plan_clone(home, order)
    assert (plan.paused_jobs, plan.claims) == (0, ())
    assert subject.agent.clone(home, WORK, target, order, lambda: False) == []
    assert list(target.iterdir()) == []
    published = replace(home, name=WORK, path=target.rename(home.path.with_name("work")))
    for _ in range(2):
        assert subject.agent.settle_clone(home, published) == []
    assert subject.agent.credentials(published) == []
    assert subject.agent.claims(published) == []
    assert subject.agent.facts(published) == subject.no_facts
    assert list(home.path.iterdir()) == []


def test_a_home_that_is_gone_names_no_bot(subject: Subject, home: Home) -> None:
    """It may vanish between being found and being read."""
    gone = replace(home, path=home.path / "gone")
    assert subject.agent.credentials(gone) == []
    assert subject.agent.claims(gone) == []
    assert subject.agent.grants(gone) == []


def test_a_bot_is_claimed_by_the_fingerprint_that_platforms_know_it_by(agent: Agent, home: Home) -> None:
    """The short one, by which people compare, is the beginning of the whole one."""
    (home.path / ".env").write_text("TELEGRAM_BOT_TOKEN=1:a\n")
    if isinstance(agent, ScriptedAgent):
        agent.known_credentials["coder"] = [Credential("telegram", "TELEGRAM_BOT_TOKEN", "ab" * 6)]
        agent.known_claims["coder"] = [Claim(ClaimKind.BOT, "telegram", "TELEGRAM_BOT_TOKEN", "ab" * 32)]
    (claim,), (bot,) = agent.claims(home), agent.credentials(home)
    assert (claim.kind, claim.platform, claim.source) == (ClaimKind.BOT, bot.platform, bot.variable)
    assert claim.digest.startswith(bot.fingerprint)
    assert len(claim.digest) == 64


def test_a_login_is_known_by_the_digest_of_its_token(agent: Agent, home: Home) -> None:
    """Which provider's, where it lies, and how to log in anew; never the token."""
    store = {"providers": {"openai-codex": {"tokens": {"refresh_token": "rt-secret"}}}}
    (home.path / "auth.json").write_text(json.dumps(store))
    login = ("auth", "add", "openai-codex")
    if isinstance(agent, ScriptedAgent):
        digest = sha256(b"rt-secret").hexdigest()
        agent.known_grants["coder"] = [Grant("openai-codex", "auth.json", digest, Renewal.ENDS, login)]
    (grant,) = agent.grants(home)
    assert (grant.provider, grant.source, grant.login) == ("openai-codex", "auth.json", login)
    assert grant.digest == sha256(b"rt-secret").hexdigest()
    assert grant.renewal is Renewal.ENDS


def test_an_agent_that_has_locked_nothing_claims_nothing_by_itself(subject: Subject, tmp_path: Path) -> None:
    """Whatever is asked for."""
    asked = [
        Claim(ClaimKind.BOT, "telegram", "T", "ab" * 32, agents_lock="t.lock"),
        Claim(ClaimKind.PORT, "p", "P"),
    ]
    assert subject.agent.claimed_by_itself(asked, {"HOME": str(tmp_path)}) == {}


def test_a_port_is_claimed(agent: Agent, home: Home) -> None:
    """The one that the API was given."""
    agent.set_up(home, api_setup(18_642), taken_ports=frozenset())
    if isinstance(agent, ScriptedAgent):
        agent.known_claims["coder"] = [Claim(ClaimKind.PORT, "api_server", "API_SERVER_PORT", port=18_642)]
    (claim,) = agent.claims(home)
    assert (claim.kind, claim.port, claim.source) == (ClaimKind.PORT, 18_642, "API_SERVER_PORT")


def test_a_moved_port_is_claimed_in_place_of_the_other(agent: Agent, home: Home) -> None:
    """What the home has no use for is passed over, and once more changes nothing."""
    agent.set_up(home, api_setup(18_642), taken_ports=frozenset())
    api = Claim(ClaimKind.PORT, "api_server", "API_SERVER_PORT", port=18_642)
    move, other = PortMove(api, 18_700, "'work'"), PortMove(replace(api, platform="webhook"), 18_701, "'work'")
    assert agent.move_ports(home, [move, other]) == [move]
    (claim,) = agent.claims(home)
    assert (claim.port, claim.is_usual) == (18_700, False)
    assert agent.facts(home).api_server.port == 18_700
    assert agent.move_ports(home, [move, other]) == []
    assert agent.claims(home) == [claim]


def test_a_home_without_ports_has_none_to_move(subject: Subject, home: Home) -> None:
    """Whatever is asked for."""
    claim = Claim(ClaimKind.PORT, "webhook", "WEBHOOK_PORT", port=8644, is_usual=True)
    assert subject.agent.move_ports(home, [PortMove(claim, 8645, "'work'")]) == []
    assert list(home.path.iterdir()) == []


@pytest.mark.parametrize("has_channels", [True, False])
def test_a_clone_has_its_sources_bots_unless_they_are_left_out(
    agent: Agent, home: Home, target: Path, has_channels: bool
) -> None:
    """The plan names what both would have, by the very fingerprints."""
    (home.path / ".env").write_text("TELEGRAM_BOT_TOKEN=1:a\n")
    if isinstance(agent, ScriptedAgent):
        agent.known_credentials["coder"] = [Credential("telegram", "TELEGRAM_BOT_TOKEN", "ab12")]
        agent.known_claims["coder"] = [Claim(ClaimKind.BOT, "telegram", "TELEGRAM_BOT_TOKEN", "ab" * 32)]
    order = CloneOrder(has_channels=has_channels)
    (bot,), (claim,) = agent.credentials(home), agent.claims(home)
    assert (bot.platform, bot.variable) == ("telegram", "TELEGRAM_BOT_TOKEN")
    shared = [claim] if has_channels else []
    assert list(agent.plan_clone(home, order).claims) == shared
    agent.clone(home, WORK, target, order, lambda: False)
    copy = replace(home, name=WORK, path=target)
    assert agent.claims(copy) == shared
    assert agent.credentials(copy) == ([bot] if has_channels else [])


def test_a_clone_has_its_sources_model(agent: Agent, home: Home, target: Path) -> None:
    """And its own way to be reached, if it has one."""
    agent.set_up(home, Setup(ModelEndpoint("m", OLLAMA)), taken_ports=frozenset())
    agent.clone(home, WORK, target, CloneOrder(), lambda: False)
    facts = agent.facts(replace(home, name=WORK, path=target))
    assert (facts.model, facts.base_url) == ("m", OLLAMA)


@pytest.mark.parametrize("kind", ["command", "hermes"])
def test_a_whole_clone_holds_the_persons_files(kind: str, home: Home, target: Path) -> None:
    """Settings alone do not; what belongs to all profiles and to processes never comes along."""
    agent = subjects()[kind]
    for name in ("config.yaml", "notes.txt", "gateway.pid"):
        (home.path / name).write_text("")
    agent.clone(home, WORK, target, CloneOrder(), lambda: False)
    assert [path.name for path in target.iterdir()] == ["config.yaml"]
    agent.clone(home, WORK, target, CloneOrder(Extent.EVERYTHING), lambda: False)
    assert sorted(path.name for path in target.iterdir()) == ["config.yaml", "notes.txt"]
    with pytest.raises(Cancelled):
        agent.clone(home, WORK, target, CloneOrder(Extent.EVERYTHING), lambda: True)


def test_a_fresh_home_follows_a_rename_without_a_word(subject: Subject, home: Home) -> None:
    """Nothing in it goes by its name, and nothing is made; doing it again is no failure."""
    after = replace(home, name=ProfileName("writer"), path=home.path.with_name("writer"))
    home.path.rename(after.path)
    for _ in range(2):
        assert subject.agent.follow_rename(home, after) == []
    assert list(after.path.iterdir()) == []


def test_a_name_for_people_shows_in_the_facts(agent: Agent, home: Home) -> None:
    """And can be taken back; setting it again changes nothing."""
    for name in ("Front Desk", "Front Desk", ""):
        agent.set_display_name(home, name)
        assert agent.facts(home).display_name == name


def test_an_empty_home_holds_nothing_and_leaves_nothing(subject: Subject, home: Home) -> None:
    """Of a program nobody can count what it keeps."""
    held = subject.agent.holdings(home)
    assert (held.secret_count, held.origin) == (0, "")
    if subject.has_commands:
        assert (held.session_count, held.job_count) == (0, 0)
    assert subject.agent.leftovers(home) == []


def described(subject: Subject, home: Home) -> Description:
    """What the facts say."""
    facts = subject.agent.facts(home)
    return Description(facts.description, facts.description_is_generated)


def test_a_description_shows_in_the_facts(subject: Subject, home: Home) -> None:
    """And whose it is; an empty one is none."""
    for wanted in (Description("Reads: code"), Description("false", True), Description("yes"), Description()):
        subject.agent.write_description(home, wanted, keeps_persons=False)
        assert described(subject, home) == wanted


def test_a_persons_description_stays_where_it_is_to(subject: Subject, home: Home) -> None:
    """It may have been written while an agent was asked; the same words are no conflict."""
    mine = Description("Mine")
    subject.agent.write_description(home, Description("Generated", True), keeps_persons=True)
    subject.agent.write_description(home, mine, keeps_persons=True)
    subject.agent.write_description(home, mine, keeps_persons=True)
    with pytest.raises(ChangedMeanwhile):
        subject.agent.write_description(home, Description("Generated", True), keeps_persons=True)
    assert described(subject, home) == mine


def test_a_program_describes_nothing(subject: Subject, home: Home, tmp_path: Path) -> None:
    """Only an agent can be asked, and not by somebody who wants no answer any more."""
    failure: type[Exception] = Cancelled if subject.has_commands else Incompatible
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    runtime = replace(subject.runtime, executable=tmp_path / "bin" / "hermes")
    with pytest.raises(failure):
        subject.agent.generate_description(runtime, home, {}, lambda: True)
    assert described(subject, home) == Description()


def test_a_soul_is_read_as_it_was_written(subject: Subject, home: Home) -> None:
    """To the byte; none is known by having no revision."""
    assert subject.agent.read_soul(home) == Soul()
    written = subject.agent.write_soul(home, "\ufeffYou are.\r\n", None)
    assert written.text == "\ufeffYou are.\r\n"
    assert subject.agent.read_soul(home) == written


def test_a_soul_is_replaced_only_if_it_is_the_one_that_was_read(subject: Subject, home: Home) -> None:
    """Where somebody says which one that was."""
    first = subject.agent.write_soul(home, "first", "")
    second = subject.agent.write_soul(home, "second", first.revision)
    for stale in (first.revision, ""):
        with pytest.raises(ChangedMeanwhile):
            subject.agent.write_soul(home, "third", stale)
    assert subject.agent.read_soul(home) == second
    assert subject.agent.write_soul(home, "third", None).text == "third"


def test_a_token_is_hidden_and_other_text_is_not(subject: Subject, home: Home) -> None:
    """Also in a home that holds no secret, or is gone."""
    hide = subject.agent.masking(home)
    assert hide(f"bot 1111:{'A' * 35} of {home.path}") == f"bot 1111:… of {home.path}"
    gone = replace(home, path=home.path / "gone")
    assert subject.agent.masking(gone)("nothing to hide") == "nothing to hide"


def test_secrets_are_recognised_by_digests_and_not_told(subject: Subject, home: Home) -> None:
    """Only of what is secret by its name and long enough, and only with the salt that was given."""
    (home.path / ".env").write_text(
        "MY_TOKEN=open-sesame\nMY_PIN_KEY=1234\nMY_NAME=ali-baba-bin\nA_KEY=/etc/a/key\n"
    )
    if isinstance(subject.agent, ScriptedAgent):
        subject.agent.known_secrets["coder"] = ["open-sesame"]
    assert subject.agent.secret_digests(home, b"salt") == {digest(b"salt", "open-sesame")}
    assert subject.agent.secret_digests(home, b"other") == {digest(b"other", "open-sesame")}


def test_a_home_without_secrets_has_no_digests(subject: Subject, home: Home) -> None:
    """Nor has one that is gone."""
    assert subject.agent.secret_digests(home, b"salt") == frozenset()
    gone = replace(home, path=home.path / "gone")
    assert subject.agent.secret_digests(gone, b"salt") == frozenset()


def test_secrets_are_told_by_file_and_key(subject: Subject, home: Home) -> None:
    """Their values are in no text of what is told."""
    if isinstance(subject.agent, ScriptedAgent):
        subject.agent.known_secrets["coder"] = ["canary-of-a-secret"]
    else:
        (home.path / ".env").write_text("A_TOKEN=canary-of-a-secret\n")
    (secret,) = subject.agent.secrets(home)
    assert (secret.profile, secret.file, secret.key) == ("coder", ".env", "A_TOKEN")
    assert secret.value == "canary-of-a-secret"
    assert secret.value not in repr(secret)


def test_a_blank_home_keeps_no_secret_and_runs_nothing(subject: Subject, home: Home) -> None:
    """Nothing is hidden in it, and nothing is switched off."""
    assert subject.agent.secrets(home) == []
    assert subject.agent.hide_settings(home.path, is_written=False) == []
    arrival = subject.agent.disarm(home)
    assert [act for act in arrival.acts if act.is_disabled] == []
    assert arrival.original is None
