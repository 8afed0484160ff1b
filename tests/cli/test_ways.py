"""How a daemon is started: the decision, what it gets, and which unit is taken for ours."""

import itertools
from pathlib import Path

import pytest

from hermesctl.background.managers import Manager
from hermesctl.background.units import Account, keeps
from hermesctl.background.ways import (
    Plan,
    Surroundings,
    Way,
    choose,
    daemon_environment,
    scope_words,
    service_words,
)
from hermesctl.client.places import Places
from hermesctl.errors import ExitCode, HermesError

pytestmark = [pytest.mark.fast, pytest.mark.cli]

SYSTEM, OWN = Manager(0), Manager(1000)
ANA = Account(1000, "ana", "/home/ana")
ROOT = Account(0, "root", "/root")
HERS = Places(Path("/home/ana"), Path("/home/ana/.hermes"))
SHOWN = {
    "LoadState": "loaded",
    "ExecStart": "{ path=/opt/py ; argv[]=/opt/py -m hermesd ; ignore_errors=no ; start_time=[n/a] }",
    "Environment": "",
    "User": "",
}
"""What systemd says of a unit that somebody installed for hermesd."""


@pytest.mark.parametrize(
    ("around", "plan"),
    [
        (Surroundings(), Plan(Way.DETACHED)),
        (Surroundings(manager=OWN), Plan(Way.SCOPE, OWN)),
        (Surroundings(gateway="a mark", manager=OWN), Plan(Way.SERVICE, OWN)),
        (Surroundings(unit=SYSTEM), Plan(Way.UNIT, SYSTEM)),
        (Surroundings(manager=OWN, unit=OWN), Plan(Way.UNIT, OWN)),
        (Surroundings(gateway="a mark", unit=OWN), Plan(Way.UNIT, OWN)),
    ],
)
def test_a_daemon_is_started_by_whoever_outlives_the_command(around: Surroundings, plan: Plan) -> None:
    """The installed unit, else the manager that lasts, else nobody; from a gateway only by somebody else."""
    assert choose(around) == plan


def test_from_inside_a_gateway_nothing_is_started_that_would_be_its_child() -> None:
    """It says what was seen, and where to go; there is no combination in which it is done after all."""
    with pytest.raises(HermesError) as caught:
        choose(Surroundings(gateway="HERMESD_SPAWN_ID is set"))
    assert caught.value.exit_code is ExitCode.NO_DAEMON
    assert caught.value.why.startswith("HERMESD_SPAWN_ID is set; ")
    assert [fix.command for fix in caught.value.fixes] == ["hermesctl daemon start"]
    for manager, unit in itertools.product((None, OWN), (None, OWN)):
        if manager or unit:
            plan = choose(Surroundings("a mark", manager, unit))
            assert plan.way in {Way.UNIT, Way.SERVICE}


def test_only_named_variables_reach_the_daemon() -> None:
    """The shell that happens to start it leaves no trace."""
    passed = ["HOME", "PATH", "TZ", "LC_ALL", "PIP_INDEX_URL", "HERMESD_ROOT", "https_proxy"]
    kept_back = ["OPENAI_API_KEY", "HERMES_HOME", "PYTHONPATH", "XDG_STATE_HOME", "HERMESD_SPAWN_ID"]
    inherited = dict.fromkeys([*passed, *kept_back], "1")
    assert set(daemon_environment(inherited)) == set(passed)


def test_nothing_that_may_be_secret_is_said_to_a_manager() -> None:
    """Everybody may read the settings of a unit, and anybody's arguments."""
    inherited = {
        "HOME": "/home/ana",
        "HERMESD_ROOT": "/srv/h",
        "https_proxy": "http://ana:s3cret@proxy",
        "PIP_X": "s3",
    }
    words = service_words(OWN, "hermesd-1", inherited, Path("/log file"), ["/py", "-m", "hermesd"])
    assert not [word for word in words if "s3" in word]
    assert words[:2] == ["systemd-run", "--user"]
    assert {"--setenv=HOME=/home/ana", "--setenv=HERMESD_ROOT=/srv/h", "--unit=hermesd-1.service"} <= set(words)
    assert "--property=StandardError=append:/log file" in words
    assert words[-4:] == ["--", "/py", "-m", "hermesd"]


def test_a_scope_belongs_to_the_right_manager() -> None:
    """The system's for root, a person's own otherwise; never one that a gateway's would be taken for."""
    assert scope_words(SYSTEM, "hermesd-1", ["/py"])[:2] == ["systemd-run", "--system"]
    words = scope_words(OWN, "hermesd-1", ["/py"])
    assert words[:2] == ["systemd-run", "--user"]
    assert {"--scope", "--unit=hermesd-1.scope", "--collect"} <= set(words)


@pytest.mark.parametrize(
    ("changes", "inherited"),
    [
        ({}, {"HOME": "/home/ana"}),
        ({}, {}),
        ({"Environment": "HERMESD_ROOT=/home/ana/.hermes"}, {"HERMESD_ROOT": "/other"}),
        ({"Environment": '"NOTE=two words" HOME=/home/ana'}, {"HOME": "/tmp"}),
        ({"ExecStart": "{ path=/v/bin/hermesd ; argv[]=/v/bin/hermesd ; }"}, {}),
        ({"ExecStart": "{ path=/v/hermesctl ; argv[]=/v/hermesctl daemon run ; }"}, {}),
    ],
)
def test_a_unit_that_keeps_this_root_is_found(changes: dict[str, str], inherited: dict[str, str]) -> None:
    """By the root that its daemon would choose: from the unit's variables, the manager's, or the account."""
    assert keeps(SHOWN | changes, inherited, ANA, HERS, is_system=False)


@pytest.mark.parametrize(
    ("changes", "inherited"),
    [
        ({"LoadState": "not-found"}, {}),
        ({"LoadState": "masked"}, {}),
        ({"ExecStart": "{ path=/usr/bin/sleep ; argv[]=/usr/bin/sleep 1 ; }"}, {}),
        ({"ExecStart": ""}, {}),
        ({"Environment": "HERMESD_ROOT=/srv/other"}, {}),
        ({"Environment": "HOME=/srv/other"}, {}),
        ({"Environment": 'HOME="/home/ana'}, {}),
        ({"EnvironmentFiles": "/etc/default/hermesd (ignore_errors=yes)"}, {}),
        ({}, {"HERMESD_ROOT": "/srv/other"}),
        ({}, {"HOME": "/srv/other"}),
    ],
)
def test_a_unit_that_may_keep_another_root_is_not_ours(changes: dict[str, str], inherited: dict[str, str]) -> None:
    """What cannot be known, as the contents of a file that only the manager reads, proves nothing."""
    assert not keeps(SHOWN | changes, inherited, ANA, HERS, is_system=False)


def test_a_unit_of_the_system_is_ours_if_it_runs_as_us() -> None:
    """By name or number; one without a user is root's, whose home is root's."""
    for user in ("ana", "1000"):
        assert keeps(SHOWN | {"User": user}, {}, ANA, HERS, is_system=True)
        assert not keeps(SHOWN | {"User": user}, {}, ROOT, HERS, is_system=True)
    assert not keeps(SHOWN, {}, ANA, HERS, is_system=True)
    assert keeps(SHOWN, {}, ROOT, Places(Path("/root"), Path("/root/.hermes")), is_system=True)
    assert keeps(SHOWN | {"User": "ana"}, {"HOME": "/"}, ANA, HERS, is_system=True)
