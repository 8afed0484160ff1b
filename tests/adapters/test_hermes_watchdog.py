"""How a gateway of hermes-agent is made to speak, and that nothing managed by the site is lost by it."""

import errno
import os
from itertools import count
from pathlib import Path
from shutil import rmtree

import pytest
import yaml

from hermesd.adapters.agents.hermes_agent import HermesAgent
from hermesd.adapters.agents.hermes_overlay import SITE, find_site
from hermesd.domain.profile import Home
from hermesd.domain.runtime import HERMES_AGENT, Launch, Runtime
from tests.adapters.hermes_homes import home_at
from tests.faults.injection import FILLING, Injector, crash_at, injected, snapshot

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

ADDRESS = "/run/notify.sock"
POLICY = "# ours\nmodel:\n  default: house-model  # approved\n"
SPEAKS = {"NOTIFY_SOCKET": ADDRESS, "WATCHDOG_USEC": "60000000"}


class Place:
    """A machine with a site's directory, a person's home, and hermesd's own directory."""

    def __init__(self, path: Path) -> None:
        self.user_home = path / "user"
        self.home = home_at(path / "user" / ".hermes" / "profiles" / "coder", config__yaml="model: m\n")
        self.site = path / "site"
        self.overlay = path / "state" / "managed"
        self.agent = self.agent_with()

    def agent_with(self, address: str = ADDRESS, watchdog_s: float = 60.0) -> HermesAgent:
        """An agent that may use the directory."""
        return HermesAgent(
            self.user_home,
            notify_address=address,
            overlay=self.overlay,
            site=self.site,
            watchdog_s=watchdog_s,
        )

    def manage(self, config: str | None = POLICY, env: str | None = None) -> None:
        """What the site manages from now on."""
        self.site.mkdir(exist_ok=True)
        for name, text in (("config.yaml", config), (".env", env)):
            if text is not None:
                (self.site / name).write_text(text)

    def launch(
        self, version: str = "0.19.0", agent: HermesAgent | None = None, home: Home | None = None
    ) -> Launch:
        """How a gateway is started."""
        runtime = Runtime("r", HERMES_AGENT, version, Path("/opt/hermes/bin/hermes"), is_managed=True)
        return (agent or self.agent).launch(runtime, home or self.home)

    def spoken(self, launch: Launch) -> dict[str, str]:
        """What the launch adds so that the gateway speaks."""
        return {name: launch.environment[name] for name in SPEAKS if name in launch.environment}

    def managed(self) -> object:
        """What a gateway finds managed."""
        return yaml.safe_load((self.overlay / "config.yaml").read_text())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A machine whose site manages nothing."""
    return Place(tmp_path)


ADDED = {"gateway": {"systemd_watchdog_seconds": "60"}}


def is_as_without(place: Place, launch: Launch) -> bool:
    """Whether a gateway is started as if nobody listened."""
    managed = launch.environment.get("HERMES_MANAGED_DIR")
    return not launch.has_watchdog and place.spoken(launch) == {} and managed == str(place.site)


def test_a_gateway_is_asked_to_speak(place: Place) -> None:
    """By a setting of ours, private, where the site has none; the person's own file stays as it is."""
    before = snapshot(place.home.path)
    launch = place.launch()
    assert launch.has_watchdog
    assert place.spoken(launch) == SPEAKS
    assert launch.environment["HERMES_MANAGED_DIR"] == str(place.overlay)
    assert place.managed() == ADDED
    assert place.overlay.stat().st_mode & 0o777 == 0o700
    assert (place.overlay / "config.yaml").stat().st_mode & 0o777 == 0o600
    assert snapshot(place.home.path) == before


def test_all_that_the_site_manages_goes_on_counting(place: Place) -> None:
    """Word for word, and its variables where they are: no secret is copied."""
    place.manage(env="SITE_KEY=canary\n")
    place.launch()
    assert place.managed() == {"model": {"default": "house-model"}, **ADDED}
    assert POLICY in (place.overlay / "config.yaml").read_text()
    assert (place.overlay / ".env").readlink() == place.site / ".env"
    assert (place.overlay / ".env").read_text() == "SITE_KEY=canary\n"
    assert not any(b"canary" in text for _, text in snapshot(place.overlay).values())


def test_the_copy_follows_the_site_while_gateways_run(place: Place) -> None:
    """Every part of it, appearing, changing and vanishing; nothing is written while nothing changes."""
    place.launch()
    assert not (place.overlay / ".env").exists()
    place.manage(env="A=1\n")
    place.agent_with().refresh()
    assert place.managed() == {"model": {"default": "house-model"}, **ADDED}
    assert (place.overlay / ".env").read_text() == "A=1\n"
    inode = (place.overlay / "config.yaml").stat().st_ino
    place.agent.refresh()
    assert (place.overlay / "config.yaml").stat().st_ino == inode
    (place.site / "config.yaml").write_text("model: {default: other}\n")
    place.agent.refresh()
    assert place.managed() == {"model": {"default": "other"}, **ADDED}
    for path in place.site.iterdir():
        path.unlink()
    place.agent.refresh()
    assert place.managed() == ADDED


def test_what_is_taken_away_is_made_again(place: Place) -> None:
    """Gateways that run look nowhere else for what the site manages, whoever started them."""
    place.manage()
    place.launch()
    rmtree(place.overlay)
    place.agent_with().refresh()
    assert place.managed() == {"model": {"default": "house-model"}, **ADDED}


def test_nothing_is_made_for_nobody(place: Place) -> None:
    """Where nobody listens to gateways."""
    place.agent_with("").refresh()
    HermesAgent(notify_address=ADDRESS).refresh()
    assert not place.overlay.exists()


@pytest.mark.parametrize("policy", ["a: [\n", "- a\n", "\x00", "&a [*a]: 1\n", "gateway: {strict: true\n"])
def test_a_site_that_cannot_be_understood_is_left_to_the_agent(place: Place, policy: str) -> None:
    """The gateway starts as without; one that runs keeps what was managed last."""
    place.manage()
    place.launch()
    place.manage(policy)
    assert is_as_without(place, place.launch())
    place.agent.refresh()
    assert place.managed() == {"model": {"default": "house-model"}, **ADDED}


def test_a_site_that_is_not_ours_to_read_is_left_to_the_agent(place: Place) -> None:
    """As one whose settings are no file."""
    place.site.mkdir()
    (place.site / "config.yaml").mkdir()
    assert is_as_without(place, place.launch())
    assert not place.overlay.exists()


@pytest.mark.parametrize("said", ["60", "'30'"])
def test_who_asks_for_it_already_needs_no_setting_of_ours(place: Place, said: str) -> None:
    """The person or the site."""
    text = f"gateway: {{systemd_watchdog_seconds: {said}}}\n"
    (place.home.path / "config.yaml").write_text(text)
    launch = place.launch()
    assert (place.spoken(launch), launch.has_watchdog) == (SPEAKS, True)
    assert launch.environment["HERMES_MANAGED_DIR"] == str(place.site)
    (place.home.path / "config.yaml").write_text("gateway: {systemd_watchdog_seconds: 0}\n")
    place.manage(text)
    assert place.launch().has_watchdog
    assert not place.overlay.exists()


@pytest.mark.parametrize("said", ["0", "no", "true", "-5", "null", "soon"])
def test_who_says_no_is_obeyed(place: Place, said: str) -> None:
    """The person, whose file would else lose the line when the agent saves it; and the site, whoever says yes."""
    text = f"gateway: {{systemd_watchdog_seconds: {said}}}\n"
    (place.home.path / "config.yaml").write_text(text)
    assert is_as_without(place, place.launch())
    (place.home.path / "config.yaml").write_text("gateway: {systemd_watchdog_seconds: 60}\n")
    place.manage(text)
    assert is_as_without(place, place.launch())


def test_an_agent_that_cannot_speak_is_not_asked(place: Place) -> None:
    """An older one, or with nobody to hear it; nor one without a configuration, which reads no managed one."""
    assert is_as_without(place, place.launch("0.18.2"))
    assert is_as_without(place, place.launch(agent=place.agent_with("")))
    (place.home.path / "config.yaml").write_text("a: [")
    assert is_as_without(place, place.launch())
    (place.home.path / "config.yaml").unlink()
    assert is_as_without(place, place.launch())


def test_a_service_of_the_agents_own_is_not_led_astray(place: Place, tmp_path: Path) -> None:
    """A gateway writes its unit anew at each start, and systemd would wait for what it says only to us."""
    units = place.user_home / ".config" / "systemd" / "user"
    units.mkdir(parents=True)
    (units / "hermes-gateway-coder.service").write_text("")
    assert is_as_without(place, place.launch())
    root = home_at(tmp_path / "user" / ".hermes", "default", config__yaml="model: m\n")
    assert place.launch(home=root).has_watchdog
    (units / "hermes-gateway.service").write_text("")
    assert not place.launch(home=root).has_watchdog


def test_a_full_disk_silences_no_bot(place: Place) -> None:
    """It starts without, at whatever step the disk is full, and nothing half done stays."""
    steps = 0
    for step in count(1):
        injector = Injector(step, OSError(errno.ENOSPC, "full"), only=FILLING)
        with injected(injector):
            launch = place.launch()
        if not injector.has_fired:
            break
        steps += 1
        assert is_as_without(place, launch)
        assert list(place.overlay.parent.rglob(".*.tmp")) == []
        rmtree(place.overlay, ignore_errors=True)
    assert steps > 2


def test_a_refresh_that_is_cut_off_leaves_the_old_or_the_new(place: Place) -> None:
    """At any step; the next one finishes it."""
    place.manage(env="A=1\n")
    place.launch()
    old = (place.overlay / "config.yaml").read_text()
    (place.site / "config.yaml").write_text("a: 1\n")
    step = 1
    while crash_at(step, place.agent.refresh):
        assert yaml.safe_load(old) == place.managed() or place.managed() == {"a": 1, **ADDED}
        (place.overlay / "config.yaml").write_text(old)
        step += 1
    assert step > 3
    assert place.managed() == {"a": 1, **ADDED}


def test_a_first_use_that_is_cut_off_is_finished_by_the_next(place: Place) -> None:
    """At any step."""
    place.manage(env="A=1\n")
    step = 1
    while crash_at(step, place.launch):
        step += 1
    assert step > 5
    assert place.managed() == {"model": {"default": "house-model"}, **ADDED}
    assert (place.overlay / ".env").read_text() == "A=1\n"


def test_the_setting_is_a_whole_number_of_seconds(place: Place) -> None:
    """What the agent is told of the pace may be finer."""
    launch = place.launch(agent=place.agent_with(watchdog_s=0.5))
    assert launch.environment["WATCHDOG_USEC"] == "500000"
    assert place.managed() == {"gateway": {"systemd_watchdog_seconds": "1"}}


def test_a_command_finds_what_its_site_manages(place: Place) -> None:
    """And not what is ours. Where it looks anyway nobody has to tell it."""
    runtime = Runtime("r", HERMES_AGENT, "0.19.0", Path("/opt/hermes/bin/hermes"), is_managed=True)
    assert place.agent.command(runtime, place.home, ["chat"]).environment["HERMES_MANAGED_DIR"] == str(place.site)
    assert "HERMES_MANAGED_DIR" not in HermesAgent().command(runtime, place.home, ["chat"]).environment
    assert "HERMES_MANAGED_DIR" not in place.launch(agent=HermesAgent()).environment


def test_a_daemon_that_is_started_inside_a_gateway_finds_the_site(place: Place) -> None:
    """Its environment names our own directory, or that of another root's daemon."""
    other = place.overlay.parent.with_name("other") / "managed"
    assert find_site({}, place.overlay) == SITE
    assert find_site({"HERMES_MANAGED_DIR": " "}, place.overlay) == SITE
    assert find_site({"HERMES_MANAGED_DIR": str(place.site)}, place.overlay) == place.site
    assert find_site({"HERMES_MANAGED_DIR": "site"}, place.overlay) == Path(os.getcwd()) / "site"  # noqa: PTH109
    for directory in (place.overlay, other):
        assert find_site({"HERMES_MANAGED_DIR": str(directory)}, place.overlay) == SITE
    place.launch()
    assert find_site({"HERMES_MANAGED_DIR": str(place.overlay)}, other) == place.site
