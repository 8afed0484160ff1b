"""The promise to the user: from nothing to an agent that answers, on the real hermes-agent."""

import json
import urllib.error
from pathlib import Path

import pytest

from tests.e2e.house import CLIENT, Api, Machine, contents, free_port, modes, streamed_text
from tests.fakes.model import ANSWER, MODEL, ModelServer

pytestmark = pytest.mark.e2e


def quickstart(machine: Machine, model: ModelServer, *more: str) -> list[str]:
    """The arguments of a quickstart against the loopback model."""
    return ["quickstart", "--model", MODEL, "--base-url", model.base_url, *more]


def wait_until_ready(machine: Machine, profile: str) -> None:
    """Joins the start that is under way by itself, or succeeds at once."""
    machine.ok("gateway", "start", profile)


def tree(root: Path) -> dict[str, bytes]:
    """Every configuration file of a root and its bytes."""
    names = ("config.yaml", ".env", "SOUL.md", "profile.yaml", "active_profile")
    return {str(path.relative_to(root)): path.read_bytes() for name in names for path in root.rglob(name)}


@pytest.mark.ci
def test_quickstart_in_an_empty_home_ends_with_an_agent_that_answers(
    empty_machine: Machine, model_server: ModelServer
) -> None:
    """One command installs the agent, makes a profile and starts a gateway; a second one changes nothing."""
    machine = empty_machine
    port = free_port()
    first = machine.ctl(*quickstart(machine, model_server, "--api-port", str(port)))
    assert first.returncode == 0, first.stdout + first.stderr
    assert "coder" in first.stdout
    gateway = machine.gateway("coder")
    assert (gateway["state"], gateway["wish"]) == ("ready", "up")

    said = machine.run("coder", "-z", "hi")
    assert (said.returncode, said.stdout, said.stderr) == (0, f"{ANSWER}\n", "")

    api = Api.of(machine, "coder")
    assert api.port == port
    plain = json.loads(api.chat("hi", stream=False))
    assert plain["choices"][0]["message"]["content"] == ANSWER
    assert streamed_text(api.chat("hi", stream=True)) == ANSWER
    with pytest.raises(urllib.error.HTTPError):
        Api(port, "a-wrong-key-0123456789").chat("hi", stream=False)

    before = tree(machine.root)
    second = machine.ctl(*quickstart(machine, model_server))
    assert second.returncode == 0, second.stderr
    assert tree(machine.root) == before
    assert machine.gateway("coder")["process"]["pid"] == gateway["process"]["pid"]
    assert api.key not in first.stdout + first.stderr + second.stdout + second.stderr

    done = machine.ctl("profile", "delete", "coder", "--purge", "--yes")
    assert done.returncode == 0, done.stderr
    assert not (machine.root / "profiles" / "coder").exists()
    assert not (machine.home / ".local" / "bin" / "coder").exists()
    assert list((machine.state / "logs" / "gateways").iterdir()) == []
    assert list((machine.state / "locks").iterdir()) == []
    assert list((machine.root / "profiles" / ".hermesd").rglob("coder*")) == []


@pytest.mark.full
def test_a_gateway_is_stopped_started_and_restarted(machine: Machine, model_server: ModelServer) -> None:
    """The alias drives the gateway; each state has its exit code, and a stop is a clean one."""
    machine.ok(*quickstart(machine, model_server, "--api-port", str(free_port())))
    first = machine.gateway("coder")["process"]["pid"]
    status = machine.run("coder", "gateway", "status")
    assert status.returncode == 0
    assert str(first) in status.stdout

    assert machine.run("coder", "gateway", "stop").returncode == 0
    stopped = machine.gateway("coder")
    assert (stopped["state"], stopped["process"]) == ("stopped", None)
    assert (stopped["last_exit"]["cause"], stopped["last_exit"]["code"]) == ("stopped", 0)
    assert machine.run("coder", "gateway", "status").returncode == 3

    assert machine.run("coder", "gateway", "start").returncode == 0
    second = machine.gateway("coder")["process"]["pid"]
    assert machine.run("coder", "gateway", "restart").returncode == 0
    third = machine.gateway("coder")["process"]["pid"]
    assert len({first, second, third}) == 3
    assert json.loads(Api.of(machine, "coder").chat("hi", stream=False))["choices"]
    assert machine.run("coder", "gateway", "logs", "-n", "5").returncode == 0


@pytest.mark.ci
def test_a_daemon_that_is_killed_finds_its_gateway_again(machine: Machine, model_server: ModelServer) -> None:
    """kill -9 of the daemon leaves the gateway alone, and the next daemon adopts it."""
    machine.ok(*quickstart(machine, model_server, "--api-port", str(free_port())))
    gateway = machine.gateway("coder")["process"]
    daemon = machine.json("daemon", "status")
    machine.run("/bin/kill", "-9", str(daemon["pid"]))
    assert machine.ctl("daemon", "status").returncode == 3
    machine.ok("daemon", "start")
    assert machine.gateway("coder")["process"] == gateway
    restarted = machine.json("daemon", "restart")["pid"]
    assert restarted not in (daemon["pid"], gateway["pid"])
    assert machine.gateway("coder")["process"] == gateway
    machine.ok("daemon", "restart", "--gateways")
    wait_until_ready(machine, "coder")
    assert machine.gateway("coder")["process"] != gateway


def holders_of(secret: str, directory: Path) -> list[Path]:
    """The files below a directory in which it stands."""
    return [path for path, content in contents(directory).items() if secret.encode() in content]


@pytest.mark.ci
def test_the_key_of_a_model_stays_where_it_belongs(machine: Machine, model_server: ModelServer) -> None:
    """A key named by --api-key-env reaches the model and the profile's own .env, and nothing else."""
    canary = "sk-canary-0123456789abcdef"
    machine.extra["MY_MODEL_KEY"] = canary
    done = machine.ctl(
        *quickstart(machine, model_server, "--api-key-env", "MY_MODEL_KEY", "--api-port", str(free_port()))
    )
    assert done.returncode == 0, done.stderr
    del machine.extra["MY_MODEL_KEY"]
    assert machine.run("coder", "-z", "hi").stdout == f"{ANSWER}\n"
    assert f"Bearer {canary}" in model_server.authorizations

    home = machine.root / "profiles" / "coder"
    assert holders_of(canary, home) == [home / ".env"]
    assert holders_of(canary, machine.state) == []
    assert canary not in done.stdout + done.stderr
    pid = machine.gateway("coder")["process"]["pid"]
    assert canary.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    assert canary.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.ci
def test_what_hermes_agent_made_is_simply_there(machine: Machine, runtimes: dict[str, Path]) -> None:
    """Profiles that the real agent creates are listed at once, and ours are listed by it."""
    machine.ok("daemon", "start")
    theirs = machine.run(runtimes["0.19.0"], "profile", "create", "made-by-hermes", "--no-alias")
    assert theirs.returncode == 0, theirs.stdout
    assert machine.ok("profile", "list", "-o", "name").split() == ["profile/default", "profile/made-by-hermes"]
    machine.ok("profile", "create", "made-by-us", "--description", "Ours")
    listed = machine.run(runtimes["0.19.0"], "profile", "list").stdout
    assert "made-by-us" in listed
    shown = machine.run(runtimes["0.19.0"], "profile", "show", "made-by-us").stdout
    assert "made-by-us" in shown


@pytest.mark.ci
def test_a_new_profile_is_private_from_the_start(machine: Machine) -> None:
    """Directories are 0700 and files 0600, whatever the caller's umask."""
    machine.ok("daemon", "start")
    machine.ok("profile", "create", "writer")
    home = machine.root / "profiles" / "writer"
    assert set(modes(home).values()) <= {0o700, 0o600}


@pytest.mark.full
def test_an_existing_hermes_can_be_used_instead(
    machine: Machine, runtimes: dict[str, Path], model_server: ModelServer
) -> None:
    """`--runtime PATH` supervises the agent that is on the machine, here the older version."""
    machine.ok(
        *quickstart(machine, model_server, "--runtime", str(runtimes["0.18.2"]), "--api-port", str(free_port()))
    )
    assert machine.gateway("coder")["state"] == "ready"
    assert machine.run("coder", "-z", "hi").stdout == f"{ANSWER}\n"
    (current,) = [one for one in machine.json("runtime", "list")["items"] if one["is_current"]]
    assert (current["version"], current["is_managed"]) == ("0.18.2", False)
    assert machine.run("coder", "gateway", "restart").returncode == 0


@pytest.mark.ci
def test_the_alias_passes_the_agents_exit_code_on(machine: Machine, model_server: ModelServer) -> None:
    """What the agent refuses ends with the agent's own exit code and output."""
    machine.ok(*quickstart(machine, model_server, "--api-port", str(free_port())))
    refused = machine.run("coder", "chat", "--no-such-option")
    assert refused.returncode == 2
    assert "no-such-option" in refused.stderr
    assert CLIENT.exists()
