"""What environments are said to be, and what of other profiles' secrets nobody inherits."""

import pytest

from hermesd.domain.agent import ProfileFacts
from hermesd.domain.digests import digest
from hermesd.domain.environment import Removal
from hermesd.domain.errors import HermesError
from hermesd.domain.profile import ProfileName
from hermesd.domain.settings import ProfileSettings, Settings
from hermesd.services.environments import CommandEnvironment, Origin
from hermesd.services.terminals import Caller
from tests.services.house import House

pytestmark = [pytest.mark.fast, pytest.mark.services]

CODER = ProfileName("coder")
OWN, SHARED, THEIRS = "sk-own-01234567", "sk-shared-01234567", "sk-theirs-01234567"


async def described(house: House, names: list[str]) -> CommandEnvironment:
    """What a command of coder's would get."""
    return await house.services.environments.of_command(CODER, names)


def keep(house: House) -> None:
    """Two profiles keep secrets, one of which they share."""
    house.homes.add("worker")
    house.agent.known_secrets = {"coder": [OWN, SHARED], "worker": [THEIRS, SHARED]}


async def test_secrets_of_other_profiles_are_recognised_and_the_profiles_own_are_not(house: House) -> None:
    """In the answer to every command, whatever the program."""
    keep(house)
    house.processes.add(321)
    caller = Caller(321, "/", [])
    plans = [
        await house.services.terminals.open(CODER, ["chat"], caller),
        await house.services.terminals.open_program(CODER, "env", caller),
    ]
    for foreign in (*(plan.foreign for plan in plans), (await described(house, [])).foreign):
        assert foreign.digests == {digest(foreign.salt, THEIRS)}
        assert foreign.salt


async def test_what_the_settings_give_to_gateways_is_told() -> None:
    """With that origin, over what the daemon's own environment says."""
    house = House(settings=Settings(gateway_variables={"TZ": "UTC", "PATH": "/opt/bin"}))
    await house.open()
    await house.furnish("coder")
    told = {one.name: (one.origin, one.value) for one in await house.services.environments.of_gateway(CODER)}
    assert (told["TZ"], told["PATH"]) == ((Origin.SETTINGS, "UTC"), (Origin.SETTINGS, "/opt/bin"))
    await house.close()


async def test_secrets_of_a_program_are_others_secrets_too() -> None:
    """Whatever runs in the other profile."""
    house = House(settings=Settings(profiles={"echo": ProfileSettings(command=("/usr/bin/echo",))}))
    await house.open()
    await house.furnish("coder", "echo")
    house.program.known_secrets = {"echo": [THEIRS]}
    found = (await described(house, [])).foreign
    assert found.digests == {digest(found.salt, THEIRS)}
    told = await house.services.environments.of_command(ProfileName("echo"), ["EDITOR"])
    assert [one.name for one in told.variables] == ["EDITOR", "HERMES_HOME"]
    await house.close()


async def test_a_gateways_environment_is_told_with_its_origins(house: House) -> None:
    """Account, daemon, agent, and the names that the profile's own file sets; the last one counts."""
    house.agent.known_facts["coder"] = ProfileFacts(env_names=("OPENAI_API_KEY", "LANG"))
    found = {one.name: one for one in await house.services.environments.of_gateway(CODER)}
    origins = {name: one.origin for name, one in found.items()}
    assert origins == {
        "HERMESD_SPAWN_ID": Origin.AGENT,
        "HERMES_HOME": Origin.AGENT,
        "HOME": Origin.ACCOUNT,
        "LANG": Origin.PROFILE,
        "OPENAI_API_KEY": Origin.PROFILE,
        "PATH": Origin.ACCOUNT,
    }
    assert found["PATH"].value == "/usr/bin"
    assert found["LANG"].value == found["OPENAI_API_KEY"].value == "…"


async def test_a_commands_environment_is_told_with_what_it_does_not_get(house: House) -> None:
    """By the names alone, since the caller's values are nobody else's."""
    found = await described(house, ["HERMES_HOME", "OPENAI_API_KEY", "SLACK_APP_TOKEN", "EDITOR"])
    assert found.removed == {"HERMES_HOME": Removal.STEERING, "SLACK_APP_TOKEN": Removal.BOT}
    told = [(one.name, one.origin, one.value) for one in found.variables if one.origin is Origin.CALLER]
    assert told == [("EDITOR", Origin.CALLER, ""), ("OPENAI_API_KEY", Origin.CALLER, "")]
    assert "HERMES_HOME" in {one.name for one in found.variables if one.origin is Origin.AGENT}


async def test_keys_stay_behind_if_the_settings_say_so() -> None:
    """In what is told as in what is done."""
    house = House(settings=Settings(inherits_keys=False))
    await house.open()
    await house.furnish("coder")
    house.processes.add(321)
    names = ["OPENAI_API_KEY", "EDITOR"]
    plan = await house.services.terminals.open(CODER, ["chat"], Caller(321, "/", names))
    assert plan.environment_unset == ["OPENAI_API_KEY"]
    assert (await described(house, names)).removed == {"OPENAI_API_KEY": Removal.KEY}
    await house.close()


async def test_what_cannot_start_has_no_environment(house: House) -> None:
    """An unknown profile is named."""
    with pytest.raises(HermesError) as caught:
        await house.services.environments.of_gateway(ProfileName("nobody"))
    assert caught.value.reason == "PROFILE_NOT_FOUND"


async def test_a_gateway_whose_profile_lacks_a_key_inherits_none(house: House) -> None:
    """What it is started with is the list and what the agent says, of this profile alone."""
    keep(house)
    await house.start("coder")
    (spec,) = house.backend.specs
    home = house.homes.find(CODER)
    assert home is not None
    assert spec.environment == {**house.ports.gateway_environment, "HERMES_HOME": str(home.path)}
