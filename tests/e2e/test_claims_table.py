"""The table of claims, held against the agent itself: no platform is missing, none that is on goes unclaimed."""

import json
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from hermesd.adapters.agents.hermes_claims import read_claims
from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.exclusivity import RULES, SWITCH, UNCLAIMED, Rule

pytestmark = [pytest.mark.ci, pytest.mark.e2e]

PROGRAM = Path(__file__).parent / "platforms_program.py"
Cases = dict[str, tuple[str, str]]
"""By name, the texts of `.env` and `config.yaml`."""


def variables(rule: Rule, without: tuple[str, ...] = ()) -> str:
    """A `.env` that turns a platform on, and says who it is."""
    names = [group[0] for group in rule.turned_on_by if group != without]
    names += [part.variables[0] for identity in rule.exclusive for part in identity]
    left = [name for name in dict.fromkeys(names) if name not in without]
    return "".join(
        f"{name.removesuffix(SWITCH)}={'true' if name.endswith(SWITCH) else f'v-{name}'}\n" for name in left
    )


def section(rule: Rule, **said: Any) -> dict[str, Any]:
    """A section that says who a platform is."""
    for identity in rule.exclusive:
        for part in identity:
            if part.key.startswith("extra."):
                said.setdefault("extra", {})[part.key.removeprefix("extra.")] = f"c-{part.key}"
            elif part.key and not part.key.startswith("."):
                said[part.key] = f"c-{part.key}"
    return said


def cases_of(rule: Rule) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Ways to write one platform: name, `.env`, configuration."""
    off, on = {"enabled": False}, variables(rule)
    yield "variables", on, {}
    yield "variables, off", on, {"platforms": {rule.platform: off}}
    yield "variables, off at the top", on, {rule.platform: off}
    yield "variables, off below gateway", on, {"gateway": {"platforms": {rule.platform: off}}}
    yield "variables, section", on, {"platforms": {rule.platform: {"extra": {"x": 1}}}}
    yield "both", on, {"platforms": {rule.platform: section(rule, enabled=True)}}
    yield "section", "", {"platforms": {rule.platform: section(rule, enabled=True)}}
    yield "section below gateway", "", {"gateway": {"platforms": {rule.platform: section(rule, enabled=True)}}}
    yield "section alone", "", {"platforms": {rule.platform: section(rule)}}
    yield "section, off", "", {"platforms": {rule.platform: section(rule, enabled=False)}}
    for group in rule.turned_on_by:
        yield f"variables but {group[0]}", variables(rule, group), {}


ODD = {
    "expanded": "SECRET=abcdef\nTELEGRAM_BOT_TOKEN=1:${SECRET}\n",
    "expanded to what is usual": "TELEGRAM_BOT_TOKEN=1:${NOWHERE:-abcdef}\n",
    "run together": "TELEGRAM_BOT_TOKEN=1:abcdefDISCORD_BOT_TOKEN=uvwxyz\n",
    "not ASCII": "TELEGRAM_BOT_TOKEN=1:abc\u0431def\n",
    "quoted": "export TELEGRAM_BOT_TOKEN='1:abc def'  # mine\n",
    "twice": "TELEGRAM_BOT_TOKEN=1:abcdef\nTELEGRAM_BOT_TOKEN=1:uvwxyz\n",
    "hidden": "TELEGRAM_BOT_TOKEN=***\n",
    "with NULs": "TELEGRAM_BOT_TOKEN=1:abc\0def\n",
    "in an address": "SIGNAL_HTTP_URL=http://h/?SIGNAL_ACCOUNT=7\nTELEGRAM_BOT_TOKEN=1:abcdef\n",
    "of a longer name": "MY_TELEGRAM_BOT_TOKEN=1:abcdef\n",
}
"""Files that the agent mends, drops or expands before it reads them."""


def asked(executable: Path, directory: Path, cases: Cases) -> Any:
    """What the agent makes of the cases, in a home of its own."""
    home = directory / "asked"
    home.mkdir()
    environment = {"HOME": str(directory), "HERMES_HOME": str(home), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [str(executable.parent / "python"), str(PROGRAM)],
        input=json.dumps(cases),
        env={**environment, "HERMES_DISABLE_LAZY_INSTALLS": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout.splitlines()[-1])


def claims_in(home: Path, env: str, config: str) -> list[Claim]:
    """What we make of the same files."""
    home.mkdir(exist_ok=True)
    (home / ".env").write_text(env)
    (home / "config.yaml").write_text(config)
    return read_claims(home)


def digests(said: dict[str, str], rule: Rule) -> set[str]:
    """Of whatever single values the agent would connect with."""
    keys = [one[0].key.removeprefix("extra.") for one in rule.exclusive if len(one) == 1 and one[0].key]
    values = [said[key].lower() if rule.platform == "email" else said[key] for key in keys if said.get(key)]
    return {sha256(value.encode()).hexdigest() for value in values}


NOT_IN_CONFIG = {"google_chat", "line", "photon", "raft", "teams"}
"""Whose variables do not get into the configuration: libraries are missing, or the adapter reads them itself."""

WRITTEN: Cases = {
    f"{rule.platform}: {name}": (env, yaml.safe_dump(config))
    for rule in RULES
    for name, env, config in cases_of(rule)
}


@pytest.fixture(scope="module", params=["0.19.0", "0.18.2"])
def answers(
    request: pytest.FixtureRequest, runtimes: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """What each tested version makes of all cases; of the older one only where the full tier installs it."""
    if request.param not in runtimes:
        pytest.skip("only the newest version is installed")
    odd = {name: (text, "") for name, text in ODD.items()}
    return asked(runtimes[request.param], tmp_path_factory.mktemp("asked"), WRITTEN | odd)


def test_every_platform_of_the_agent_has_a_row_or_a_reason(answers: Any) -> None:
    """One that a later version brings fails here until somebody has judged it."""
    assert sorted({rule.platform for rule in RULES} | UNCLAIMED.keys()) == answers["platforms"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.platform)
def test_what_the_agent_would_bring_up_is_claimed_as_the_very_bot(
    answers: Any, tmp_path: Path, rule: Rule
) -> None:
    """However it is written: by the digest of the value that the agent connects with."""
    for name, _, _ in cases_of(rule):
        case = f"{rule.platform}: {name}"
        claims = [one for one in claims_in(tmp_path / "ours", *WRITTEN[case]) if one.platform == rule.platform]
        said = answers["found"][case].get(rule.platform)
        if said is not None and rule.platform not in NOT_IN_CONFIG:
            assert digests(said, rule) <= {one.digest for one in claims}, case
        if said is not None and any(port.usual and port.condition is None for port in rule.ports):
            assert [one for one in claims if one.kind is ClaimKind.PORT], case
        if "off" in name and said is None:
            assert claims == [], case


@pytest.mark.parametrize("name", ODD)
def test_files_that_the_agent_mends_are_read_as_it_reads_them(answers: Any, tmp_path: Path, name: str) -> None:
    """Else the same bot would be two, or two would be one."""
    bots = [one for one in claims_in(tmp_path / "ours", ODD[name], "") if one.kind is ClaimKind.BOT]
    found = answers["found"][name]
    theirs = {(platform, sha256(said["token"].encode()).hexdigest()) for platform, said in found.items()}
    assert {(one.platform, one.digest) for one in bots} == theirs
