"""The public client: finding the daemon, trusting it, and waiting for operations."""

import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

import hermesctl.client.connection as connection
from hermesctl import __version__
from hermesctl.client import connect, connect_async, explain
from hermesctl.client.places import Places, start_ticks_of
from hermesctl.errors import HermesError
from hermesd.v1 import gateways_pb2, operations_pb2, profiles_pb2
from tests.cli.conftest import Run
from tests.fakes.server import FakeDaemon
from tests.fakes.world import Refusal, World

pytestmark = [pytest.mark.fast, pytest.mark.cli]


@pytest.fixture
def _home(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """This process's home is the test's."""
    monkeypatch.setenv("HOME", environment["HOME"])
    monkeypatch.delenv("HERMESD_ROOT", raising=False)


@pytest.mark.usefixtures("_home")
def test_profiles_are_listed_and_a_gateway_is_started(daemon: FakeDaemon) -> None:
    """The example of the README."""
    with connect() as client:
        listed = client.profiles.ListProfiles(profiles_pb2.ListProfilesRequest()).profiles
        assert [profile.name for profile in listed] == ["default", "coder", "worker"]
        operation = client.gateways.StartGateway(gateways_pb2.StartGatewayRequest(profile="worker"))
        assert client.wait(operation).state == operations_pb2.OPERATION_STATE_SUCCEEDED
        assert client.wait(client.wait(operation)).id == operation.id
        assert client.is_serving()


@pytest.mark.usefixtures("_home")
async def test_the_same_works_with_asyncio(daemon: FakeDaemon, world: World) -> None:
    """Names and results are those of the synchronous client."""
    async with connect_async() as client:
        listed = await client.profiles.ListProfiles(profiles_pb2.ListProfilesRequest())
        assert len(listed.profiles) == 3
        operation = await client.gateways.StartGateway(gateways_pb2.StartGatewayRequest(profile="worker"))
        done = await client.wait(operation)
        assert (await client.wait(done)).state == operations_pb2.OPERATION_STATE_SUCCEEDED
        world.failing["gateway.stop"] = Refusal("GATEWAY_STUCK", "it survives")
        stopping = await client.gateways.StopGateway(gateways_pb2.StopGatewayRequest(profile="worker"))
        with pytest.raises(HermesError, match="it survives"):
            await client.wait(stopping)
    assert set(world.requesters) == {f"hermesctl/{__version__} pid {os.getpid()}"}


@pytest.mark.usefixtures("_home")
def test_a_failed_operation_raises_its_reason(daemon: FakeDaemon, world: World) -> None:
    """`wait` returns only success."""
    world.failing["gateway.start"] = Refusal("PORT_IN_USE", "port 8643 is taken", {"port": "8643"})
    with connect() as client:
        operation = client.gateways.StartGateway(gateways_pb2.StartGatewayRequest(profile="worker"))
        with pytest.raises(HermesError) as caught:
            client.wait(operation)
    assert (caught.value.reason, caught.value.facts["port"]) == ("PORT_IN_USE", "8643")


@pytest.mark.usefixtures("_home")
def test_a_failed_call_can_be_explained(daemon: FakeDaemon) -> None:
    """The daemon's reason is in the error that grpc raises."""
    with connect() as client, pytest.raises(grpc.RpcError) as caught:
        client.profiles.GetProfile(profiles_pb2.GetProfileRequest(profile="ghost"))
    assert explain(caught.value).reason == "PROFILE_NOT_FOUND"


@pytest.mark.usefixtures("_home")
async def test_a_failed_call_leaves_the_block_explained(daemon: FakeDaemon) -> None:
    """Scripts need to know one failure only."""
    request = profiles_pb2.GetProfileRequest(profile="ghost")
    with pytest.raises(HermesError) as caught, connect() as client:
        client.profiles.GetProfile(request)
    assert caught.value.reason == "PROFILE_NOT_FOUND"
    with pytest.raises(HermesError) as caught:
        async with connect_async() as other:
            await other.profiles.GetProfile(request)
    assert caught.value.reason == "PROFILE_NOT_FOUND"


@pytest.mark.usefixtures("_home")
def test_every_call_says_who_asks(daemon: FakeDaemon, world: World) -> None:
    """Plain calls and streams alike."""
    with connect() as client:
        client.wait(client.gateways.StartGateway(gateways_pb2.StartGatewayRequest(profile="coder")))
    assert world.requesters == [f"hermesctl/{__version__} pid {os.getpid()}"] * 2


@pytest.mark.usefixtures("_home")
def test_another_root_has_another_daemon(daemon: FakeDaemon, tmp_path: Path) -> None:
    """A client never ends up at the daemon of a root it did not ask for."""
    with pytest.raises(HermesError) as caught:
        connect(root=tmp_path / "other")
    assert caught.value.reason == "DAEMON_ABSENT"


@pytest.mark.usefixtures("_home")
def test_a_socket_path_that_is_too_long_is_reached(world: World, places: Places, tmp_path: Path) -> None:
    """An address holds 107 bytes; deeper directories are opened first."""
    deep = FakeDaemon(world, places, tmp_path / ("d" * 60) / ("e" * 60) / "api.sock")
    deep.start()
    with connect() as client:
        assert client.profiles.ListProfiles(profiles_pb2.ListProfilesRequest()).profiles
        held = client._address._directory
        assert held is not None
        assert not os.get_inheritable(held)
        assert Path(f"/proc/self/fd/{held}").readlink() == tmp_path / ("d" * 60) / ("e" * 60)
    deep.stop()
    held_now = {os.path.realpath(one) for one in Path("/proc/self/fd").iterdir()}
    assert str(tmp_path / ("d" * 60) / ("e" * 60)) not in held_now


@pytest.mark.parametrize(
    ("version", "is_near"), [("0.0.9", True), ("0.2.0", True), ("0.3.0", False), ("1.1.0", False)]
)
def test_versions_may_differ_by_one_minor_step(
    run: Run, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, version: str, is_near: bool
) -> None:
    """Further apart, both are named, and nothing is asked."""
    monkeypatch.setattr(connection, "__version__", "0.1.0")
    daemon.write_record(version=version)
    ended = run("profile list")
    assert ended.code == (0 if is_near else 8)
    if not is_near:
        assert f"hermesctl 0.1.0 cannot talk to hermesd {version}" in ended.err
        assert "fix: hermesctl daemon restart" in ended.err


@pytest.mark.parametrize("version", ["", "dev", "0.x"])
def test_a_version_that_cannot_be_read_is_too_far(run: Run, daemon: FakeDaemon, version: str) -> None:
    """Nothing is assumed."""
    daemon.write_record(version=version)
    assert run("profile list").code == 8


def test_daemon_status_works_across_versions(run: Run, daemon: FakeDaemon) -> None:
    """Or the fix for a skew could not be run."""
    daemon.write_record(version="9.0.0")
    assert run("daemon status").code == 0
    assert run("version").code == 0


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_state_directory_others_can_write_to_is_not_trusted(
    run: Run, daemon: FakeDaemon, places: Places, mode: int
) -> None:
    """The socket in it could be anybody's."""
    places.state.chmod(mode)
    ended = run("profile list")
    assert ended.code == 9
    assert "other people can write to it" in ended.err


def test_a_state_directory_of_somebody_else_is_not_trusted(run: Run, daemon: FakeDaemon, places: Places) -> None:
    """Not even root follows another person's record."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    os.chown(places.state, 65534, 65534)
    ended = run("profile list")
    assert ended.code == 9
    assert "it belongs to user 65534" in ended.err


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"socket": 1}', "not json"])
def test_a_record_that_cannot_be_read_is_no_daemon(
    run: Run, daemon: FakeDaemon, places: Places, text: str
) -> None:
    """Half a file does not end in a traceback."""
    places.daemon_file.write_text(text)
    assert run("profile list").code == 8


def test_a_daemon_that_died_is_absent(run: Run, daemon: FakeDaemon) -> None:
    """Its record stays behind; nothing answers."""
    daemon.stop()
    ended = run("profile list")
    assert ended.code == 8
    assert "hermesctl daemon start" in ended.err


def test_places_follow_the_daemons_rules(tmp_path: Path) -> None:
    """The root's canonical path names the state directory; a relative HOME is no home."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    here = {"HOME": str(tmp_path)}
    assert Places.locate(here).root == tmp_path / ".hermes"
    linked = Places.locate(here | {"HERMESD_ROOT": str(tmp_path / "link")})
    assert linked.root == tmp_path / "real"
    assert linked.state == Places.locate(here | {"HERMESD_ROOT": str(tmp_path / "real")}).state
    assert Places.locate({"HOME": "relative"}).home == Places.locate({}).home


def test_an_agents_tool_finds_the_daemon_of_the_person(tmp_path: Path) -> None:
    """In a container, or if so set, an agent gives it a home in the profile and says where the real one is."""
    profile = tmp_path / ".hermes" / "profiles" / "coder"
    ours = {"HOME": str(tmp_path)}
    given = {"HOME": f"{profile}/home", "HERMES_HOME": str(profile), "HERMES_REAL_HOME": str(tmp_path)}
    assert Places.locate(given) == Places.locate(ours)
    assert Places.locate({**given, "HOME": str(tmp_path / "chosen")}).home == tmp_path / "chosen"
    assert Places.locate({**given, "HERMES_REAL_HOME": ""}).home == profile / "home"


def test_a_process_is_known_by_its_start() -> None:
    """A process id alone may be anybody's by now."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    ticks = start_ticks_of(child.pid)
    assert isinstance(ticks, int)
    child.communicate(b"\n")
    assert start_ticks_of(child.pid) != ticks
