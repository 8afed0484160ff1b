"""The doctor on fakes: what each check says, what mending does, and who may be in its way."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from hermesd.domain.agent import ProfileFacts
from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.conditions import Disk, Exposed, HomeCondition, Matter, OwnedByOthers, Unit
from hermesd.domain.errors import (
    ConfigInvalid,
    DiskFull,
    Incompatible,
    NotPermitted,
    ProfileBusy,
    ProfileNotFound,
    StateCorrupt,
)
from hermesd.domain.findings import GIB, Finding, Severity
from hermesd.domain.grants import Grant, Renewal
from hermesd.domain.operation import OperationState
from hermesd.domain.profile import ProfileName
from hermesd.domain.settings import ProfileSettings, Settings
from hermesd.services import homechecks, machinechecks
from hermesd.services.operations import Job, Request
from tests.services.house import REQUESTER, House

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER = ProfileName("coder")
HOME = Path("/nowhere/.hermes/profiles/coder")


@pytest.fixture
async def house() -> House:
    """A daemon with two profiles."""
    made = House()
    await made.open()
    await made.furnish("coder", "writer")
    return made


async def examine(house: House, name: str = "coder", *, fix: bool = False) -> list[Finding]:
    """One profile, or with "" everything."""
    doctor = house.services.doctor
    if name:
        return await doctor.examine(ProfileName(name), fix=fix, requester=REQUESTER)
    return await doctor.examine_all(fix=fix, requester=REQUESTER)


def wrong(findings: list[Finding]) -> list[Finding]:
    """What is not fine."""
    return [one for one in findings if one.severity is not Severity.FINE]


async def only(house: House, name: str = "coder", *, fix: bool = False) -> Finding:
    """The one thing that is wrong."""
    (found,) = wrong(await examine(house, name, fix=fix))
    return found


def exposed(name: str = ".env", mode: int = 0o644, *, is_reachable: bool = True) -> Exposed:
    """A file of the profile that others have rights to."""
    return Exposed(HOME / name, mode, Matter.SECRET, is_reachable=is_reachable)


async def test_what_is_fine_is_told_as_such(house: House) -> None:
    """Each check once, in its order, the machine first and then by profile."""
    found = await examine(house)
    assert [one.check for one in found] == [check for check in homechecks.FINE if check != "disk"]
    assert wrong(found) == []
    everything = await examine(house, "")
    assert wrong(everything) == []
    assert [one.check for one in everything if not one.profile] == list(machinechecks.FINE)
    assert list(dict.fromkeys(one.profile for one in everything)) == ["", "default", "coder", "writer"]


async def test_nobody_else_is_examined_for_one(house: House) -> None:
    """What is wrong with others, and with the machine, is another question."""
    house.home_inspector.conditions["writer"] = HomeCondition(exposed=(exposed(),))
    house.homes.sticky_text = "ghost\n"
    assert wrong(await examine(house)) == []
    with pytest.raises(ProfileNotFound):
        await examine(house, "ghost")


async def test_secrets_that_others_read_are_an_error_and_are_mended(house: House) -> None:
    """In one operation of the profile; the command that mends it is told, and so is that it was."""
    house.home_inspector.conditions["coder"] = HomeCondition(exposed=(exposed(), exposed("auth.json")))
    found = await only(house)
    assert found == Finding(
        "modes",
        "coder",
        Severity.ERROR,
        "other users of this machine can read .env and auth.json",
        "hermesctl doctor coder --fix",
        is_fixable=True,
    )
    assert await only(house, fix=True) == replace(found, is_fixed=True)
    assert wrong(await examine(house)) == []
    (operation,) = await house.services.operations.all(profile="coder", limit=5)
    assert (operation.kind, operation.state) == ("profile.mend", OperationState.SUCCEEDED)


@pytest.mark.parametrize(
    ("one", "severity", "message"),
    [
        (
            Exposed(HOME, 0o755, None, is_reachable=True),
            Severity.WARNING,
            "other users of this machine can look into",
        ),
        (
            Exposed(HOME, 0o777, None, is_reachable=True),
            Severity.ERROR,
            "other users of this machine can change its",
        ),
        (
            Exposed(HOME, 0o755, None, is_reachable=False),
            Severity.WARNING,
            "its home is not private; only a direct",
        ),
        (exposed(is_reachable=False), Severity.WARNING, ".env is not private; only a directory above keeps"),
        (exposed(mode=0o666), Severity.ERROR, "other users of this machine can change .env"),
    ],
)
async def test_modes_are_as_bad_as_what_leaks(
    house: House, one: Exposed, severity: Severity, message: str
) -> None:
    """What somebody could write is worse than what could be read, and that worse than what could be if."""
    house.home_inspector.conditions["coder"] = HomeCondition(exposed=(one,))
    found = await only(house)
    assert found.severity is severity
    assert found.message.startswith(message)


async def test_a_home_that_is_a_link_is_for_a_person_to_mend(house: House) -> None:
    """The command is told; nothing is done."""
    condition = HomeCondition(is_link=True, exposed=(exposed(),), missing=("plans",))
    house.home_inspector.conditions["coder"] = condition
    modes, parts = wrong(await examine(house, fix=True))
    assert modes.fix == f"chmod go= {HOME}/.env"
    assert (modes.is_fixable, parts.is_fixable) == (False, False)
    assert await house.services.operations.all(profile="", limit=5) == []


async def test_files_of_others_are_for_root_to_give_back(house: House) -> None:
    """The exact command is told."""
    others = OwnedByOthers(2, (0,), (HOME / "logs" / "a",), is_in_the_way=True)
    house.home_inspector.conditions["coder"] = HomeCondition(owned_by_others=others)
    found = await only(house)
    assert (found.severity, found.message) == (Severity.ERROR, "2 entries belong to user 0, such as logs/a")
    assert found.fix == f'sudo chown -hR "$(id -u):$(id -g)" {HOME}'
    house.home_inspector.conditions["coder"] = HomeCondition(is_closed=True)
    assert (await only(house)).fix == f"chmod u+rwx {HOME}"


async def test_parts_are_made_again_and_half_a_profile_is_deleted(house: House) -> None:
    """What lies in the place of a part is looked at by a person."""
    house.home_inspector.conditions["coder"] = HomeCondition(missing=("plans", ".env"), obstructed=("skins",))
    missing, obstructed = wrong(await examine(house, fix=True))
    assert (missing.message, missing.is_fixed) == ("plans and .env are missing", True)
    assert (obstructed.message, obstructed.is_fixed) == ("skins is not what it should be", False)
    house.home_inspector.conditions["coder"] = HomeCondition(is_half=True, missing=("plans",))
    assert (await only(house)).fix == "hermesctl profile delete coder --yes"


async def test_what_cannot_be_read_is_edited(house: House) -> None:
    """Each problem with the file that it is about."""
    facts = ProfileFacts(problems=("cannot use /x/config.yaml: line 3: it is not YAML", "API_SERVER_KEY is short"))
    house.agent.known_facts["coder"] = facts
    condition = HomeCondition(set_aside=(HOME / "config.yaml.corrupt.1.bak",), unclear_lines=(3, 5))
    house.home_inspector.conditions["coder"] = condition
    found = wrong(await examine(house))
    assert [(one.check, one.severity, one.fix) for one in found] == [
        ("config", Severity.ERROR, f"${{EDITOR:-vi}} {HOME}/config.yaml"),
        ("config", Severity.ERROR, f"${{EDITOR:-vi}} {HOME}/.env"),
        ("config", Severity.WARNING, f"${{EDITOR:-vi}} {HOME}/config.yaml"),
        ("config", Severity.WARNING, f"${{EDITOR:-vi}} {HOME}/.env"),
    ]
    assert "line 3 and 5" in found[-1].message


async def test_aliases_are_brought_up_to_date_or_removed(house: House) -> None:
    """Those of ours: an old one of a profile, and one of a profile that is gone."""
    house.aliases.create("coder", CODER)
    house.aliases.create("lost", ProfileName("ghost"))
    house.aliases.add_upstream("theirs", "ghost")
    house.aliases.outdated.add("coder")
    own = await only(house, fix=True)
    assert (own.check, own.is_fixed) == ("alias", True)
    ours, theirs = (one for one in wrong(await examine(house, "")) if one.check == "alias")
    assert (ours.message, theirs.fix) == (
        "the alias 'lost' calls 'ghost', which is no profile",
        "rm /nowhere/.local/bin/theirs",
    )
    await examine(house, "", fix=True)
    assert [alias.name for alias in house.aliases.scan()] == ["coder", "theirs"]


async def test_a_command_of_the_agents_own_is_told_to_go_past_the_daemon(house: House) -> None:
    """As hermes-agent makes one for each of its profiles; a person may want it, so that it stays."""
    house.aliases.add_upstream("coder", "coder")
    house.aliases.add_upstream("c", "coder")
    found = [one for one in wrong(await examine(house, "coder", fix=True)) if one.check == "alias"]
    path = {alias.name: alias.path for alias in house.aliases.scan()}
    assert [(one.severity, one.is_fixed) for one in found] == [(Severity.WARNING, False)] * 2
    assert {one.fix for one in found} == {
        f"rm {path['coder']} && hermesctl profile alias coder",
        f"rm {path['c']} && hermesctl profile alias coder --name c",
    }


async def test_one_bot_of_two_profiles_is_told_of_both(house: House) -> None:
    """Without its token; as an error once both gateways are wanted."""
    token = Claim(ClaimKind.BOT, "telegram", "TELEGRAM_BOT_TOKEN", "0123456789ab")
    house.agent.known_claims |= {
        "coder": [token],
        "writer": [replace(token, source="platforms.telegram.token")],
    }
    one = await only(house)
    assert (one.check, one.severity) == ("tokens", Severity.WARNING)
    assert one.message == (
        "TELEGRAM_BOT_TOKEN is the telegram bot of 'writer' (platforms.telegram.token) too: "
        "while one of their gateways runs, the other is not started and waits"
    )
    other = await only(house, "writer")
    assert other.fix == "${EDITOR:-vi} /nowhere/.hermes/profiles/writer/config.yaml"
    for name in ("coder", "writer"):
        await house.start(name)
    one = await only(house)
    assert one.severity is Severity.ERROR
    assert one.message.endswith(
        "only one of their gateways is started, and the other waits until that one is stopped"
    )


async def test_a_login_directory_of_two_profiles_is_told_too(house: House) -> None:
    """It is made anew by the agent's own setup."""
    login = Claim(ClaimKind.LOGIN, "whatsapp", "platforms/whatsapp/session", "ab" * 32)
    house.agent.known_claims |= {"coder": [login], "writer": [login]}
    found = [one for one in wrong(await examine(house, "coder")) if one.check == "tokens"]
    assert [one.message.partition(":")[0] for one in found] == [
        "platforms/whatsapp/session is the whatsapp login of 'writer' too",
    ]
    assert found[0].fix == "hermesctl -p coder gateway setup"


async def test_a_login_of_two_profiles_is_told_before_it_is_renewed(house: House) -> None:
    """With the way to one of its own; not one that the agent keeps in step."""
    github = Grant("mcp github", "mcp-tokens/github.json", "ab" * 32, login=("mcp", "login", "github"))
    nous = Grant("nous", "auth.json", "cd" * 32, Renewal.FOLLOWED)
    house.agent.known_grants |= {"coder": [github, nous], "writer": [github, nous]}
    one = await only(house)
    assert (one.check, one.severity, one.fix) == (
        "logins",
        Severity.WARNING,
        "hermesctl -p coder mcp login github",
    )
    assert one.message == (
        "the login mcp github (mcp-tokens/github.json) is that of 'writer' too: "
        "whichever profile renews it first may log the others out"
    )


async def test_a_port_that_was_written_for_two_profiles_is_told(house: House) -> None:
    """A warning while nobody needs it, an error once both are wanted; what is usual is given out at a start."""
    webhook = Claim(ClaimKind.PORT, "webhook", "WEBHOOK_PORT", port=9000)
    key = "platforms.webhook.extra.port"
    house.agent.known_claims |= {"coder": [webhook], "writer": [replace(webhook, source=key)]}
    one = await only(house)
    assert (one.check, one.severity) == ("ports", Severity.WARNING)
    what = f"WEBHOOK_PORT is port 9000 of 'writer' ({key}) too"
    assert one.message == f"{what}: while one of their gateways runs, the other is not started and waits"
    assert one.fix == "${EDITOR:-vi} /nowhere/.hermes/profiles/coder/.env"
    assert (await only(house, "writer")).fix.endswith("/writer/config.yaml")
    for name in ("coder", "writer"):
        await house.start(name)
    assert (await only(house)).severity is Severity.ERROR
    house.agent.known_claims["writer"] = [replace(webhook, is_usual=True)]
    assert wrong(await examine(house)) == []


async def test_a_port_that_was_written_for_two_platforms_is_told(house: House) -> None:
    """Both settings are named."""
    webhook = Claim(ClaimKind.PORT, "webhook", "WEBHOOK_PORT", port=9000)
    line = Claim(ClaimKind.PORT, "line", "LINE_PORT", port=9000)
    house.agent.known_claims["coder"] = [webhook, line]
    one = await only(house)
    assert (one.check, one.severity) == ("ports", Severity.ERROR)
    assert one.message == "LINE_PORT is port 9000, which WEBHOOK_PORT is too: only one can listen"


async def test_what_would_start_a_second_gateway_is_told_and_never_touched(house: House) -> None:
    """By a service of hermes-agent, or because one runs already; of a profile that is gone as well."""
    house.machine_inspector.known_units = [
        Unit(Path("/u/hermes-gateway-coder.service"), HOME, is_enabled=True, is_of_system=False),
        Unit(Path("/u/hermes-gateway-gone.service"), HOME.with_name("gone"), is_enabled=False, is_of_system=False),
        Unit(Path("/u/hermes-gateway-x.service"), Path("/other/root"), is_enabled=True, is_of_system=False),
    ]
    house.agent.foreign["writer"] = 4711
    found = {(one.profile, one.check): one for one in wrong(await examine(house, "", fix=True))}
    assert found.keys() == {("", "units"), ("coder", "units"), ("writer", "gateway")}
    assert found["coder", "units"].severity is Severity.ERROR
    assert found["", "units"].severity is Severity.WARNING
    assert found["writer", "gateway"].fix == "kill -TERM 4711"
    assert len(house.machine_inspector.known_units) == 3


@pytest.mark.parametrize("text", ["ghost\n", "No Name\n"])
async def test_a_sticky_default_that_names_nobody_is_cleared(house: House, text: str) -> None:
    """For hermes-agent fails on it at every command."""
    house.homes.sticky_text = text
    found = await only(house, "")
    assert (found.check, found.severity, found.is_fixable) == ("default", Severity.ERROR, True)
    assert (await only(house, "", fix=True)).is_fixed
    assert house.homes.sticky_text is None


async def test_a_sticky_default_that_is_no_text_is_for_a_person(house: House) -> None:
    """It says where it is."""
    house.homes.faults.arm("written_default", ConfigInvalid("cannot use it", path="/r/active_profile"))
    assert (await only(house, "", fix=True)).fix == "ls -ld /r/active_profile"


async def test_litter_is_removed_unless_something_works_on_it(house: House) -> None:
    """An operation's own work is not half done."""
    house.homes.staging = [Path("/new/coder-0123"), Path("/trash/.purging-old-0123")]
    release = asyncio.Event()

    async def work(job: Job) -> None:
        await release.wait()

    request = Request("profile.create", "coder", is_exclusive=True)
    running = await house.services.operations.start(request, REQUESTER, work)
    found = await only(house, "", fix=True)
    assert (found.message, found.is_fixed) == (".purging-old-0123 was left by something that was cut off", True)
    assert house.homes.staging == [Path("/new/coder-0123")]
    release.set()
    await house.now(running)
    assert (await only(house, "", fix=True)).is_fixed
    assert house.homes.staging == []


async def test_what_an_operation_is_about_to_change_is_nothing_wrong(house: House) -> None:
    """The alias and the default of a profile that is just being renamed follow in a moment."""
    house.aliases.create("old", ProfileName("old"))
    house.homes.sticky_text = "old\n"
    request = Request("profile.rename", "old", is_exclusive=True, other_profile="coder")
    release = asyncio.Event()

    async def work(job: Job) -> None:
        await release.wait()

    running = await house.services.operations.start(request, REQUESTER, work)
    assert wrong(await examine(house, "", fix=True)) == []
    assert house.homes.sticky_text == "old\n"
    release.set()
    await house.now(running)
    assert {one.check for one in wrong(await examine(house, ""))} == {"alias", "default"}


async def test_a_profile_that_is_being_changed_is_not_mended(house: House) -> None:
    """The operation is named: as a refusal for one profile, as a finding among all."""
    house.home_inspector.conditions["coder"] = HomeCondition(missing=("plans",))
    release = asyncio.Event()

    async def work(job: Job) -> None:
        await release.wait()

    request = Request("profile.rename", "coder", is_exclusive=True)
    running = await house.services.operations.start(request, REQUESTER, work)
    with pytest.raises(ProfileBusy, match=r"profile\.rename works on profile 'coder'"):
        await examine(house, fix=True)
    assert not (await only(house)).is_fixed
    found = await only(house, "", fix=True)
    assert "it could not be mended: profile.rename works on profile 'coder'" in found.message
    release.set()
    await house.now(running)


async def test_two_who_mend_the_same_both_hear_that_it_is_mended(house: House) -> None:
    """They join in one operation."""
    house.home_inspector.conditions["coder"] = HomeCondition(missing=("plans",))
    both = await asyncio.gather(examine(house, fix=True), examine(house, fix=True))
    assert all(one.is_fixed for found in both for one in wrong(found))
    assert len(await house.services.operations.all(profile="coder", limit=5)) == 1


async def test_a_failure_to_mend_is_a_finding(house: House) -> None:
    """What else can be mended is."""
    house.home_inspector.conditions["coder"] = HomeCondition(exposed=(exposed(),), missing=("plans",))
    house.home_inspector.faults.arm("make_missing", DiskFull("cannot make /x: the file system is full"))
    found = wrong(await examine(house, fix=True))
    assert {one.check: one.is_fixed for one in found} == {"modes": True, "parts": False}
    assert "plans is missing; it could not be mended: cannot make /x" in found[1].message


async def test_a_full_store_mends_nothing_and_says_so(house: House) -> None:
    """Nothing is done that nobody would know of."""
    house.home_inspector.conditions["coder"] = HomeCondition(missing=("plans",))
    house.store.faults.arm("save_operation", DiskFull("cannot write store.db: the file system is full"))
    found = await only(house, fix=True)
    assert "it could not be mended: cannot write store.db" in found.message
    assert house.home_inspector.conditions["coder"].missing == ("plans",)


async def test_a_gateway_that_is_wanted_and_has_no_home_is_explained(house: House) -> None:
    """hermes-agent has deleted the profile under us; renamed by it, the profile is the same."""
    await house.start("coder")
    house.homes.rename("coder", "dev")
    assert wrong(await examine(house, "")) == []
    house.homes.drop("dev")
    found = await only(house, "")
    assert found.check == "wishes"
    assert found.message.startswith("'dev' is wanted up, but its home is gone; it rests since 20")
    house.homes.add("dev")
    assert wrong(await examine(house, "")) == []


async def test_settings_are_looked_at_again(house: House) -> None:
    """The next daemon would have to use them as they are now."""
    house.machine_inspector.problem = "cannot use settings.toml: it is not TOML"
    found = await only(house, "")
    assert (found.check, found.severity) == ("settings", Severity.ERROR)
    assert "cannot use settings.toml: it is not TOML" in found.message


async def test_settings_of_profiles_that_are_not_there_are_told() -> None:
    """They are for nobody."""
    house = House(settings=Settings(profiles={"gone": ProfileSettings(), "coder": ProfileSettings()}))
    await house.open()
    await house.furnish("coder")
    assert (await only(house, "")).message == "the settings have [profile.gone], which is no profile"


async def test_a_runtime_is_asked_who_it_is(house: House) -> None:
    """One that cannot be run is an error, and another version is worth a look."""
    runtime = await house.services.runtimes.current()
    assert runtime is not None
    house.agent.versions[runtime.executable] = Incompatible("cannot run it")
    for name in ("", "coder"):
        found = await only(house, name)
        assert (found.check, found.severity, found.fix) == ("runtime", Severity.ERROR, "hermesctl runtime install")
    house.agent.versions[runtime.executable] = "0.20.0"
    assert (await only(house)).severity is Severity.WARNING


async def test_a_missing_runtime_is_told_with_the_command_that_installs_one() -> None:
    """Of the machine and of the one profile."""
    house = House()
    await house.open()
    house.homes.add("coder")
    for name in ("", "coder"):
        found = await only(house, name)
        assert (found.check, found.fix) == ("runtime", "hermesctl runtime install")


async def test_a_program_of_the_settings_is_no_runtime_to_ask() -> None:
    """Nobody knows how to ask it."""
    house = House(settings=Settings(profiles={"coder": ProfileSettings(command=("/bin/true",))}))
    await house.open()
    house.homes.add("coder")
    assert wrong(await examine(house)) == []


async def test_a_low_disk_is_told_once(house: House) -> None:
    """With the machine; with a profile if it lies elsewhere, or if only that is examined."""
    low = Disk(Path("/nowhere"), 1, 0, 100 * GIB, 1, 0)
    house.machine_inspector.own = [low]
    assert [(one.profile, one.check) for one in wrong(await examine(house, ""))] == [("", "disk")]
    assert (await only(house)).severity is Severity.ERROR
    house.machine_inspector.own = [replace(low, free_bytes=50 * GIB)]
    house.machine_inspector.by_path = {HOME: replace(low, device=2)}
    assert [(one.profile, one.check) for one in wrong(await examine(house, ""))] == [("coder", "disk")]


async def test_what_the_daemon_keeps_is_closed_and_read(house: House) -> None:
    """A store that cannot be read is told."""
    house.machine_inspector.opened = [Exposed(Path("/s/run"), 0o755, Matter.PRIVATE, is_reachable=True)]
    assert (await only(house, "", fix=True)).is_fixed
    house.machine_inspector.opened = [Exposed(Path("/s/run"), 0o755, Matter.PRIVATE, is_reachable=True)]
    house.machine_inspector.faults.arm("make_private", NotPermitted("cannot make private /s/run: not ours"))
    assert "it could not be mended: cannot make private /s/run" in (await only(house, "", fix=True)).message
    house.machine_inspector.opened = []
    house.store.faults.arm("operations", StateCorrupt("store.db is damaged"))
    assert (await only(house, "")).message == "store.db is damaged"


async def test_limits_that_do_not_hold_are_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words in which the gateway's own page tells them."""
    monkeypatch.setattr(type(house.services.keepers), "warnings_of", lambda *_: ("memory_max does not hold",))
    found = await only(house)
    assert (found.check, found.message) == ("limits", "memory_max does not hold")
