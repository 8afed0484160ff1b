"""What the doctor looks at in one profile.

Owns: which checks there are, what each makes of what is seen, and what mends it. Must not know files or who asks.
"""

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from hermesd.domain.alias import Alias
from hermesd.domain.claims import Claim, ClaimKind, clashes_within, distinct
from hermesd.domain.conditions import Exposed, HomeCondition
from hermesd.domain.errors import RuntimeMissing
from hermesd.domain.findings import Severity, judge_disk, listed
from hermesd.domain.grants import shared_grants
from hermesd.domain.listening import written_ports
from hermesd.domain.ports import Ports
from hermesd.domain.profile import Home
from hermesd.services.checks import Found, Mend, Result, Surroundings, check_runtime
from hermesd.services.foreign import describe
from hermesd.services.gatewayviews import GatewayViews
from hermesd.services.homes import Identified
from hermesd.services.runtimes import Runtimes

FINE: Mapping[str, str] = {
    "owner": "all of it belongs to its owner",
    "modes": "nobody else can read what is private",
    "parts": "every part is there",
    "config": "its settings can be read",
    "alias": "its aliases are up to date",
    "tokens": "no other profile has its bots and logins",
    "ports": "nobody else was given its ports",
    "logins": "no other profile renews its logins",
    "units": "no service would start a second gateway",
    "gateway": "no gateway runs but hermesd's",
    "limits": "its limits hold",
    "disk": "there is room where it lies",
    "runtime": "its agent can be run",
}
"""The checks in order, and what is said where nothing is wrong."""

WAITS_ALWAYS = "only one of their gateways is started, and the other waits until that one is stopped"
WAITS = "while one of their gateways runs, the other is not started and waits"
"""What becomes of two profiles that need one thing: both are wanted, or not both."""


class HomeChecks:
    """Looks at one profile."""

    def __init__(self, ports: Ports, runtimes: Runtimes, views: GatewayViews) -> None:
        self._ports = ports
        self._runtimes = runtimes
        self._views = views

    async def look(self, known: Identified, around: Surroundings, *, is_alone: bool) -> Result:
        """Everything about one profile; `is_alone` also asks what is the same for all of them."""
        home = known.home
        condition = await asyncio.to_thread(self._ports.home_inspector.look, home)
        found: Result = {"owner": _owner(home, condition)}
        if not condition.is_closed:
            found["modes"] = self._modes(home, condition)
            found["parts"] = self._parts(home, condition)
            found["config"] = await self._config(home, condition)
        found["alias"] = await self._alias(known, around)
        found["tokens"] = await self._tokens(known, around)
        found["ports"] = await self._port_clashes(known, around)
        found["logins"] = _logins(known, around)
        found["units"] = _units(home, around)
        found |= await self._gateway(known)
        found |= await self._disk(home, around, is_alone=is_alone)
        if is_alone:
            found["runtime"] = await self._runtime(home)
        return found

    def _modes(self, home: Home, condition: HomeCondition) -> list[Found]:
        leaks = [one for one in condition.exposed if one.matter is not None and one.is_reachable]
        guarded = [one for one in condition.exposed if not one.is_reachable]
        opened = [one for one in condition.exposed if one.matter is None and one.is_reachable]
        told: list[Found] = []
        if leaks or any(one.is_writable for one in opened):
            verb = "change" if any(one.is_writable for one in [*leaks, *opened]) else "read"
            told.append(self._exposure("leaks", Severity.ERROR, home, condition, verb, [*leaks, *opened]))
        elif opened:
            told.append(self._exposure("home", Severity.WARNING, home, condition, "look into", opened))
        if guarded:
            verb = "is" if len(guarded) == 1 else "are"
            what = f"{_names(home, guarded)} {verb} not private; only a directory above keeps other users out"
            paths = [one.path for one in guarded]
            told.append(self._mended_modes("guarded", Severity.WARNING, home, condition, what, paths))
        return told

    def _exposure(
        self,
        key: str,
        severity: Severity,
        home: Home,
        condition: HomeCondition,
        verb: str,
        exposed: Sequence[Exposed],
    ) -> Found:
        what = f"other users of this machine can {verb} {_names(home, exposed)}"
        return self._mended_modes(key, severity, home, condition, what, [one.path for one in exposed])

    def _mended_modes(
        self,
        key: str,
        severity: Severity,
        home: Home,
        condition: HomeCondition,
        what: str,
        paths: Sequence[Path],
    ) -> Found:
        async def mend() -> None:
            await asyncio.to_thread(self._ports.home_inspector.make_private, home, paths)

        if condition.is_link:
            return Found(key, severity, what, f"chmod go= {shlex.join(map(str, paths))}")
        return _mendable(key, severity, what, home, mend)

    def _parts(self, home: Home, condition: HomeCondition) -> list[Found]:
        if condition.is_half:
            what = "nothing in it makes it a profile: whatever was to make or delete it was cut off"
            return [Found("half", Severity.ERROR, what, f"hermesctl profile delete {home.name} --yes")]
        told = []
        if condition.missing:

            async def mend() -> None:
                await asyncio.to_thread(self._ports.home_inspector.make_missing, home)

            verb = "is" if len(condition.missing) == 1 else "are"
            what = f"{listed(condition.missing)} {verb} missing"
            told.append(
                Found("missing", Severity.WARNING, what)
                if condition.is_link
                else _mendable("missing", Severity.WARNING, what, home, mend)
            )
        for name in condition.obstructed:
            look = f"ls -ld {shlex.quote(str(home.path / name))}"
            told.append(Found(name, Severity.WARNING, f"{name} is not what it should be", look))
        return told

    async def _config(self, home: Home, condition: HomeCondition) -> list[Found]:
        facts = await asyncio.to_thread(self._runtimes.agent_of(home.name).facts, home)
        told = [
            Found(problem, Severity.ERROR, problem, _edit(_mentioned(home, problem))) for problem in facts.problems
        ]
        for path in condition.set_aside:
            what = (
                f"hermes-agent could not read config.yaml and went on without it; what it said is in {path.name}"
            )
            told.append(Found(path.name, Severity.WARNING, what, _edit(home.path / "config.yaml")))
        if condition.unclear_lines:
            lines = listed(condition.unclear_lines)
            what = f".env says something that nobody understands in line {lines}, which counts for nothing"
            told.append(Found("unclear", Severity.WARNING, what, _edit(home.path / ".env")))
        return told

    async def _alias(self, known: Identified, around: Surroundings) -> list[Found]:
        told = []
        for alias in around.aliases:
            if alias.profile != known.home.name:
                continue
            if not alias.is_ours:
                told.append(_passing_by(alias))
                continue
            if await asyncio.to_thread(self._ports.aliases.is_current, alias):
                continue
            what = f"its alias '{alias.name}' is from an earlier hermesd or was changed"
            told.append(_mendable(alias.name, Severity.WARNING, what, known.home, self._rewritten(alias)))
        return told

    def _rewritten(self, alias: Alias) -> Mend:
        async def mend() -> None:
            await asyncio.to_thread(self._ports.aliases.repoint, alias, alias.profile)

        return mend

    async def _tokens(self, known: Identified, around: Surroundings) -> list[Found]:
        """Bots and logins that another profile has too. Of two that are both wanted one waits for ever."""
        told = []
        is_up = await self._is_wanted(known)
        for own in distinct(around.claims.get(known.id, ())):
            holders = [] if own.kind is ClaimKind.PORT else _holders(own, known, around)
            if not holders:
                continue
            both = is_up and any([await self._is_wanted(other) for other, _ in holders])
            what = f"{own.place} is the {_thing(own)} of {listed([name for _, name in holders])} too"
            why = WAITS_ALWAYS if both else WAITS
            setup = f"hermesctl -p {known.home.name} gateway setup"
            fix = _edit(known.home.path / own.file) if own.file else setup
            severity = Severity.ERROR if both else Severity.WARNING
            told.append(Found(f"{own.kind} {own.source}", severity, f"{what}: {why}", fix))
        return told

    async def _port_clashes(self, known: Identified, around: Surroundings) -> list[Found]:
        """Ports that somebody wrote for this profile and for another, or for two platforms of it.

        What nobody wrote is given out when a gateway starts, and is no matter of a person's.
        """
        own, told = around.claims.get(known.id, ()), []
        for first, second in clashes_within(own):
            if not first.is_usual and not second.is_usual:
                what = f"{second.source} is port {second.port}, which {first.source} is too: only one can listen"
                told.append(Found(second.source, Severity.ERROR, what, _edit_source(known.home, second)))
        is_up = await self._is_wanted(known)
        for claim in written_ports(own):
            holders = _port_holders(claim, known, around)
            if not holders:
                continue
            both = is_up and any([await self._is_wanted(other) for other, _ in holders])
            what = f"{claim.source} is port {claim.port} of {listed([name for _, name in holders])} too"
            why = WAITS_ALWAYS if both else WAITS
            severity = Severity.ERROR if both else Severity.WARNING
            fix = _edit_source(known.home, claim)
            told.append(Found(f"{claim.platform} {claim.port}", severity, f"{what}: {why}", fix))
        return told

    async def _is_wanted(self, known: Identified) -> bool:
        return (await self._views.view(known)).record.gateway.wanted_up

    async def _gateway(self, known: Identified) -> Result:
        view = await self._views.view(known)
        foreign = []
        if view.foreign is not None:
            what = f"a gateway that hermesd did not start serves it: {describe(view.foreign)}"
            foreign.append(Found("foreign", Severity.ERROR, what, view.foreign.resolution))
        limits = [Found(text, Severity.WARNING, text) for text in view.warnings]
        return {"gateway": foreign, "limits": limits}

    async def _disk(self, home: Home, around: Surroundings, *, is_alone: bool) -> Result:
        """Only where it is not the root's, of which is told once, unless nothing else is looked at."""
        inspector = self._ports.machine_inspector
        disk = await asyncio.to_thread(inspector.disk, home.path)
        if disk is None:
            return {}
        known = {one.device for one in await asyncio.to_thread(inspector.disks)}
        if disk.device in known and not is_alone:
            return {}
        judged = judge_disk(disk)
        fix = f"df -h {shlex.quote(str(home.path))}"
        return {"disk": [Found("disk", *judged, fix)] if judged else []}

    async def _runtime(self, home: Home) -> list[Found]:
        try:
            choice = await self._runtimes.choice_for(home.name)
        except RuntimeMissing as error:
            return [Found("missing", Severity.ERROR, error.message, error.metadata.get("fix", ""))]
        return await check_runtime(choice)


def _passing_by(alias: Alias) -> Found:
    """A command of the agent's own for a profile, as hermes-agent 0.19.0 writes with each that it makes."""
    what = (
        f"the command '{alias.name}' is not hermesctl's: its 'gateway' and 'profile' verbs know nothing of hermesd"
    )
    path, profile = shlex.quote(str(alias.path)), alias.profile.text
    named = "" if alias.name == profile else f" --name {alias.name}"
    return Found(alias.name, Severity.WARNING, what, f"rm {path} && hermesctl profile alias {profile}{named}")


def _owner(home: Home, condition: HomeCondition) -> list[Found]:
    """Only root can give files back, so that the person has to."""
    others = condition.owned_by_others
    fix = f'sudo chown -hR "$(id -u):$(id -g)" {shlex.quote(str(home.path))}'
    told = []
    if others.count:
        severity = Severity.ERROR if others.is_in_the_way or condition.is_closed else Severity.WARNING
        entries = "entry belongs" if others.count == 1 else "entries belong"
        users = f"user {listed(others.owners)}, such as {_relative(home, others.examples[0])}"
        told.append(Found("others", severity, f"{others.count} {entries} to {users}", fix))
    if condition.is_closed and home.path not in others.examples:
        what = "its owner may not read, write and enter it"
        told.append(Found("closed", Severity.ERROR, what, f"chmod u+rwx {shlex.quote(str(home.path))}"))
    return told


def _logins(known: Identified, around: Surroundings) -> list[Found]:
    """Logins that another profile has a copy of, of which one may be worth nothing tomorrow."""
    name = known.home.name
    others = {one.home.name: around.grants.get(one.id, ()) for one in around.homes if one.id != known.id}
    told = []
    for one in shared_grants(around.grants.get(known.id, ()), others):
        if not one.is_harmless:
            holders = listed([f"'{other}'" for other in one.profiles])
            what = (
                f"the login {one.grant.provider} ({one.grant.source}) is that of {holders} too: {one.consequence}"
            )
            key = f"{one.grant.provider} {one.grant.masked}"
            told.append(Found(key, Severity.WARNING, what, one.way_out(name)))
    return told


def _units(home: Home, around: Surroundings) -> list[Found]:
    told = []
    for unit in around.units:
        if unit.home != home.path:
            continue
        severity = Severity.ERROR if unit.is_enabled else Severity.WARNING
        when = "starts" if unit.is_enabled else "could start"
        what = f"{unit.path} of hermes-agent {when} a second gateway"
        told.append(Found(str(unit.path), severity, what, unit.removal))
    return told


def _mendable(key: str, severity: Severity, what: str, home: Home, mend: Mend) -> Found:
    name = home.name.text
    return Found(key, severity, what, f"hermesctl doctor {name} --fix", mend, owner=name)


def _holders(own: Claim, known: Identified, around: Surroundings) -> list[tuple[Identified, str]]:
    """Other profiles that make a claim, with their names, and where they read it unless that is the same."""
    found = []
    for other in around.homes:
        places = [one.source for one in around.claims.get(other.id, ()) if one.key == own.key]
        if places and other.id != known.id:
            where = "" if own.source in places else f" ({listed(places)})"
            found.append((other, f"'{other.home.name}'{where}"))
    return found


def _port_holders(claim: Claim, known: Identified, around: Surroundings) -> list[tuple[Identified, str]]:
    """Other profiles that a port was written for, with their names and where it stands unless that is the same."""
    found = []
    for other in around.homes:
        places = [one.source for one in written_ports(around.claims.get(other.id, ())) if one.port == claim.port]
        if places and other.id != known.id:
            where = "" if claim.source in places else f" ({listed(places)})"
            found.append((other, f"'{other.home.name}'{where}"))
    return found


def _edit_source(home: Home, claim: Claim) -> str:
    return _edit(home.path / ("config.yaml" if "." in claim.source else ".env"))


def _thing(claim: Claim) -> str:
    """What it is, in words."""
    return f"{claim.platform} {'login' if claim.kind is ClaimKind.LOGIN else 'bot'}"


def _names(home: Home, exposed: Sequence[Exposed]) -> str:
    return listed([_relative(home, one.path) for one in exposed])


def _relative(home: Home, path: Path) -> str:
    return "its home" if path == home.path else str(path.relative_to(home.path))


def _edit(path: Path) -> str:
    return f"${{EDITOR:-vi}} {shlex.quote(str(path))}"


def _mentioned(home: Home, problem: str) -> Path:
    """The file that a sentence about a home is about; what it does not say is a matter of `.env`."""
    named = (name for name in ("config.yaml", "profile.yaml", "distribution.yaml") if name in problem)
    return home.path / next(named, ".env")
