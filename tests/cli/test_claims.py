"""How claims look: who has what, who waits, and what can be done about it."""

import json
from pathlib import Path

import pytest

from hermesctl import claim_view
from hermesctl.errors import ExitCode, from_metadata
from hermesd.v1 import claims_pb2 as c
from hermesd.v1 import gateways_pb2 as g
from hermesd.v1.profiles_pb2 import SharedGrant
from tests.cli.conftest import Run
from tests.cli.transcripts import compare, transcript
from tests.fakes.contract import at, claim, claim_use, gateway, profile
from tests.fakes.server import FakeDaemon
from tests.fakes.world import Refusal, World

pytestmark = [pytest.mark.fast, pytest.mark.cli]

BOT = "TELEGRAM_BOT_TOKEN"
MESSAGE = "telegram bot sha256:ab12…9f is in use by 'coder'"
FACTS = {
    "claim": "sha256:ab12…9f",
    "platform": "telegram",
    "source": BOT,
    "holder": "'coder'",
    "profile": "worker",
}

LISTS = [
    "claims list",
    "claims list -o wide",
    "claims ls -o name",
    "claims list -o json",
    "claims list -o jsonl",
    "claims list -o yaml",
    "-p worker claims list",
    "-p quiet claims list",
]
PAGES = [
    "claims show sha256:ab12",
    "claims show 8643",
    "claims show worker",
    "claims show claim/sha256:77c0",
    "-p coder claims show -o json",
    "claims show quiet",
    "claims show telegarm",
    "claims show worke",
    "claims show",
    "claims --help",
    "claims show --help",
]


@pytest.fixture
def world(world: World) -> World:
    """A bot that two wait for, a port of nobody, a login that lives elsewhere, a bot of a stranger."""
    parked = gateway(
        "worker",
        g.GATEWAY_STATE_PARKED,
        wish=g.WISH_UP,
        parked_for=g.PARKED_FOR_CLAIM,
        detail=MESSAGE,
        since=at(600),
    )
    world.profiles["worker"] = profile("worker", gateway=parked)
    world.profiles["quiet"] = profile("quiet")
    world.claims = [
        claim(
            "sha256:77c0…1d", "discord", claim_use("coder", "kept", "platforms.discord.token", file="config.yaml")
        ),
        claim(
            "sha256:0a0b…11",
            "slack",
            claim_use("", "foreign", pid=812, holder="/usr/bin/otherbot (pid 812)"),
            claim_use("worker", "idle", "SLACK_APP_TOKEN", file=".env"),
        ),
        claim(
            "sha256:ab12…9f",
            "telegram",
            claim_use("coder", "held", BOT, file=".env", pid=4711, wanted_since=at(11_520)),
            claim_use("worker", "waiting", "platforms.telegram.token", file="config.yaml", wanted_since=at(600)),
            claim_use("default", "waiting", BOT, file=".env", wanted_since=at(60)),
            claim_use("night", "idle", BOT, file=".env"),
        ),
        claim(
            "sha256:5e5e…00",
            "whatsapp",
            claim_use("coder", "held", "platforms/whatsapp/session", pid=4711),
            claim_use("worker", "idle", "platforms/whatsapp/session"),
            kind=c.CLAIM_KIND_LOGIN,
        ),
        claim(
            "port 8643",
            "api_server",
            claim_use("worker", "idle", "API_SERVER_PORT", file=".env"),
            kind=c.CLAIM_KIND_PORT,
            port=8643,
        ),
    ]
    return world


def test_lists_look_like_this(run: Run, daemon: FakeDaemon, world: World, tmp_path: Path) -> None:
    """Every format, and one profile's."""
    compare("claims", transcript(LISTS, run, tmp_path))


def test_pages_look_like_this(run: Run, daemon: FakeDaemon, world: World, tmp_path: Path) -> None:
    """By fingerprint, port and profile; what nobody knows is spelt alike something."""
    compare("claim-pages", transcript(PAGES, run, tmp_path))


@pytest.mark.parametrize("columns", [80, 200])
def test_people_see_this(run: Run, daemon: FakeDaemon, world: World, columns: int, tmp_path: Path) -> None:
    """In colour, with rough ages, in the width there is."""
    lines = ["claims list", "claims show sha256:ab12"]
    compare(f"claims-{columns}", transcript(lines, lambda line: run(line, columns=columns), tmp_path))


def test_whoever_waits_for_a_claim_is_told_apart(
    run: Run, daemon: FakeDaemon, world: World, tmp_path: Path
) -> None:
    """From those that wait for a channel or for their budget, in every list and on every page."""
    waits = {"budget": g.PARKED_FOR_BUDGET, "channel": g.PARKED_FOR_CHANNEL}
    for name, reason in waits.items():
        parked = gateway(name, g.GATEWAY_STATE_PARKED, wish=g.WISH_UP, since=at(60), parked_for=reason)
        if name == "budget":
            parked.next_start_at.CopyFrom(at(-300))
        world.profiles[name] = profile(name, gateway=parked)
    lines = ["status", "profile list", "gateway list", "gateway status worker", "profile show worker"]
    lines += [f"gateway why {name}" for name in ("worker", *waits)]
    compare("waiting", transcript(lines, run, tmp_path))


def test_a_start_that_waits_for_a_claim_looks_like_this(
    run: Run, daemon: FakeDaemon, world: World, tmp_path: Path
) -> None:
    """Both profiles, the platform, the masked fingerprint, what happens by itself and what can be done."""
    port = FACTS | {"claim": "port 8643", "platform": "api_server", "source": "API_SERVER_PORT", "port": "8643"}
    stranger = port | {"holder": "/usr/bin/nginx (pid 99)"}
    failures = [
        Refusal("TOKEN_IN_USE", MESSAGE, FACTS),
        Refusal("PORT_IN_USE", "port 8643 is in use by 'coder'", port),
        Refusal("PORT_IN_USE", "port 8643 is in use by /usr/bin/nginx (pid 99)", stranger),
        Refusal("TOKEN_IN_USE", MESSAGE, FACTS | {"fix": "hermesctl gateway stop coder"}),
    ]
    found = []
    for failure in failures:
        world.failing["gateway.start"] = failure
        found.append(transcript(["gateway start worker", "gateway start worker -q -o json"], run, tmp_path))
    world.unchanged["worker"] = failures[0]
    found.append(transcript(["gateway start worker coder"], run, tmp_path))
    compare("claimed", "\n".join(found))


def test_a_login_of_two_profiles_is_told_with_what_will_happen(
    run: Run, daemon: FakeDaemon, world: World, tmp_path: Path
) -> None:
    """In the plan of a clone, and on the profile's page beside what it claims."""
    follows = "whichever profile renews it first logs the others out"
    shared = SharedGrant(
        provider="openai-codex",
        source="auth.json",
        masked="sha256:0c0d…ef",
        profiles=["coder"],
        consequence=follows,
        fix="hermesctl -p worker auth add openai-codex",
    )
    world.grants.append(shared)
    world.profiles["worker"].grants.append(shared)
    lines = ["profile create whole --clone-all --dry-run", "profile show worker"]
    compare("shared-login", transcript(lines, run, tmp_path))


def test_the_number_of_those_that_wait_is_shown(run: Run, daemon: FakeDaemon, world: World) -> None:
    """Nothing is said where nobody does."""
    assert run("status").out.endswith(" · 1 waits for a claim\n")
    world.profiles["default"].gateway.CopyFrom(world.profiles["worker"].gateway)
    assert run("status").out.endswith(" · 2 wait for a claim\n")
    for name in ("default", "worker"):
        world.profiles[name].gateway.CopyFrom(gateway(name, g.GATEWAY_STATE_STOPPED))
    assert "claim" not in run("status").out


def test_nothing_claimed_is_a_sentence(run: Run, daemon: FakeDaemon, world: World) -> None:
    """And success."""
    world.claims.clear()
    ended = run("claims list")
    assert (ended.code, ended.out, ended.err) == (0, "", "no profile claims anything\n")
    assert json.loads(run("claims list -o json").out)["items"] == []


def test_the_file_to_edit_is_named() -> None:
    """A login, which no editor makes, is made anew by the agent's own setup."""
    for file, command in ((".env", "${EDITOR:-vi} /root/.env"), ("", "hermesctl -p default gateway setup")):
        use = claim_use("default", "idle", "X", file=file)
        contested = claim("sha256:ab12…9f", "p", claim_use("a", "held", "X"), use)
        assert claim_view.ways_out(contested, Path("/root"))[1].command == command


def test_a_refusal_of_a_claim_without_its_profile_is_told_as_it_is() -> None:
    """Nobody waits who is not named."""
    told = from_metadata("TOKEN_IN_USE", MESSAGE, {"claim": "sha256:ab12…9f"})
    assert (told.message, told.why, told.exit_code) == (MESSAGE, "", ExitCode.CONFLICT)


def test_a_newer_daemons_states_are_no_failure(run: Run, daemon: FakeDaemon, world: World) -> None:
    """They are shown by number."""
    world.claims[:] = [claim("sha256:ab12…9f", "telegram", c.ClaimUse(profile="coder", state=77))]  # type: ignore[arg-type]
    assert run("claims list").code == ExitCode.DONE
    assert run("claims show coder").code == ExitCode.DONE
