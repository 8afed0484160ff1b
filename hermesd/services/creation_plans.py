"""What making a profile will do, known before anything is done.

Owns: what is asked for as it is kept, every refusal that needs no deed, and the plan that a person is shown. Must
not change anything.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hermesd.domain.agent import Agent
from hermesd.domain.cloning import CloneOrder, ClonePlan, Extent
from hermesd.domain.creation import CreationPlan, NewProfile, Step
from hermesd.domain.errors import AliasTaken, ConfigInvalid
from hermesd.domain.listening import PortMove
from hermesd.domain.ports import Ports
from hermesd.domain.profile import ProfileName
from hermesd.services.grants import shared_by
from hermesd.services.homes import KnownHomes
from hermesd.services.listening import Listening
from hermesd.services.operations import Request
from hermesd.services.runtimes import Runtimes
from hermesd.services.sharing import Sharing

KIND = "profile.create"


@dataclass(frozen=True)
class Order:
    """What is to be made; kept with its operation, for a daemon that goes on with it."""

    new: NewProfile
    source_id: str = ""
    """Stable id of the profile it takes over from: another one may have its name by the time."""

    @property
    def request(self) -> Request:
        """How it is asked for."""
        new, order = self.new, self.new.order
        source = new.source.text if new.source else ""
        clone = [new.model, source, self.source_id, order.extent, order.has_channels, order.keeps_cron]
        parameters = json.dumps([new.description, new.with_alias, new.with_skills, *clone])
        return Request(KIND, new.name.text, parameters, is_exclusive=True, source_profile=source)

    @classmethod
    def read(cls, name: str, parameters: str) -> "Order":
        """The order behind a request; earlier releases made blank profiles only."""
        description, with_alias, with_skills, *more = json.loads(parameters)
        model, source, source_id, extent, has_channels, keeps_cron = more or ["", "", "", "settings", True, False]
        order = CloneOrder(Extent(extent), has_channels=has_channels, keeps_cron=keeps_cron)
        origin = ProfileName(source) if source else None
        new = NewProfile(ProfileName(name), description, with_alias, with_skills, model, origin, order)
        return cls(new, source_id)


def is_seeded(new: NewProfile) -> bool:
    """Whether bundled skills are added; a clone of everything has its source's, and its choice of them."""
    return new.with_skills and (new.source is None or new.order.extent is Extent.SETTINGS)


class CreationPlans:
    """Plans creations."""

    def __init__(
        self, ports: Ports, homes: KnownHomes, runtimes: Runtimes, sharing: Sharing, listening: Listening
    ) -> None:
        self._ports = ports
        self._homes = homes
        self._runtimes = runtimes
        self._sharing = sharing
        self._listening = listening

    async def prepared(self, new: NewProfile) -> tuple[Order, CreationPlan]:
        """What is to be made and what that will do.

        Raises:
            ArgumentInvalid: what is asked for contradicts itself.
            ProfileExists: something has the name.
            ProfileNotFound: there is nothing to clone.
            ConfigInvalid, NotPermitted: the source cannot be read, or no home be made.
        """
        new.check()
        self._refuse_model_of_program(new)
        path = await self._homes.place_for(new.name)
        if new.source is None:
            return Order(new), await self._plan(new, path, ClonePlan(), ())
        source = await self._homes.get(new.source)
        agent = self._same_program(new.source, new.name)
        clone = await asyncio.to_thread(agent.plan_clone, source.home, new.order)
        moves = await self._listening.planned(source.home, new.order)
        return Order(new, source.id), await self._plan(new, path, clone, moves)

    async def _plan(
        self, new: NewProfile, path: Path, clone: ClonePlan, moves: Iterable[PortMove]
    ) -> CreationPlan:
        steps = [Step("copy", what) for what in clone.copied]
        if is_seeded(new):
            without = f"bundled skills: {new.source} does without them"
            steps.append(Step("seed", "bundled skills") if clone.is_seeded else Step("skip", without))
        steps.extend(Step("skip", what) for what in clone.skipped)
        if clone.paused_jobs:
            steps.append(Step("pause", _counted(clone.paused_jobs, "scheduled job")))
        if new.model:
            steps.append(Step("set", f"model {new.model}"))
        steps.extend(
            Step("set", f"port {one.port} for {one.claim.platform}: {one.holder} has {one.claim.port}")
            for one in moves
        )
        if new.with_alias:
            steps.append(await asyncio.to_thread(self._alias_step, new.name))
        shared = await self._sharing.of(new.name, clone.claims)
        grants = await shared_by(self._homes, self._runtimes, new.name, clone.grants)
        return CreationPlan(new.name, path, tuple(steps), shared, grants)

    def _alias_step(self, name: ProfileName) -> Step:
        try:
            self._ports.aliases.check(name.text, name)
        except AliasTaken as error:
            return Step("skip", f"alias: {error.message.partition(': ')[2] or error.message}")
        return Step("alias", f"{name} → hermesctl -p {name}")

    def _refuse_model_of_program(self, new: NewProfile) -> None:
        if new.model and self._runtimes.settings_of(new.name).command:
            raise ConfigInvalid(
                f"cannot give '{new.name}' a model: the settings have it run a program of its own",
                profile=new.name.text,
            )

    def _same_program(self, source: ProfileName, name: ProfileName) -> Agent:
        """The settings go by names, and are a person's: they must name the same program for both."""
        if self._runtimes.settings_of(source).command != self._runtimes.settings_of(name).command:
            raise ConfigInvalid(
                f"cannot clone '{source}': the settings give '{name}' another program",
                hint=f"give [profile.{source}] and [profile.{name}] the same command, then restart the daemon",
                profile=name.text,
            )
        return self._runtimes.agent_of(source)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
