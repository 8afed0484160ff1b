"""Every service of one daemon, wired by hand on the ports it is given.

Owns: who is given whom. Must not know what implements a port, nor the order in which services begin and end.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hermesd.domain.ports import Ports
from hermesd.domain.settings import Settings
from hermesd.services.aliases import Aliases
from hermesd.services.captures import Captures
from hermesd.services.checkups import Checkups
from hermesd.services.claims import Claims
from hermesd.services.claimviews import ClaimViews
from hermesd.services.comparisons import Comparisons
from hermesd.services.configs import Configs
from hermesd.services.creation_plans import CreationPlans
from hermesd.services.creations import Creations
from hermesd.services.deletion_plans import DeletionPlans
from hermesd.services.descriptions import Descriptions
from hermesd.services.doctor import Doctor
from hermesd.services.drains import Drains
from hermesd.services.drift import Drift
from hermesd.services.effects import Effects
from hermesd.services.environments import Environments
from hermesd.services.events import Events
from hermesd.services.exports import Exports
from hermesd.services.fleet import Fleet
from hermesd.services.gateways import Gateways
from hermesd.services.gatewayviews import GatewayViews
from hermesd.services.homechecks import HomeChecks
from hermesd.services.homes import KnownHomes
from hermesd.services.imports import Imports
from hermesd.services.keepers import Keepers
from hermesd.services.leftovers import Leftovers
from hermesd.services.listening import Listening
from hermesd.services.logs import Logs
from hermesd.services.machinechecks import MachineChecks
from hermesd.services.operations import Operations, Resume
from hermesd.services.profiles import Profiles
from hermesd.services.renames import Renames
from hermesd.services.rounds import Rounds
from hermesd.services.runtimes import Runtimes
from hermesd.services.samples import Samples
from hermesd.services.sharing import Sharing
from hermesd.services.skills import Skills
from hermesd.services.souls import Souls
from hermesd.services.terminals import Terminals
from hermesd.services.trash import Trash
from hermesd.services.usage import Usage


@dataclass(frozen=True)
class Services:
    """Every service of one daemon."""

    events: Events
    operations: Operations
    runtimes: Runtimes
    keepers: Keepers
    rounds: Rounds
    gateways: Gateways
    views: GatewayViews
    claim_views: ClaimViews
    fleet: Fleet
    profiles: Profiles
    renames: Renames
    skills: Skills
    terminals: Terminals
    environments: Environments
    trash: Trash
    usage: Usage
    deletion_plans: DeletionPlans
    creations: Creations
    doctor: Doctor
    descriptions: Descriptions
    souls: Souls
    configs: Configs
    comparisons: Comparisons
    exports: Exports
    imports: Imports
    aliases: Aliases
    drift: Drift
    captures: Captures
    logs: Logs
    samples: Samples
    listening: Listening

    @property
    def resumers(self) -> Mapping[str, Resume]:
        """How operations are taken up that an earlier daemon left running, by kind."""
        resumed = (self.creations, self.fleet, self.imports, self.profiles, self.renames, self.skills, self.trash)
        return {kind: resume for service in resumed for kind, resume in service.resumers.items()}


def services_on(ports: Ports, settings: Settings) -> Services:
    """Wires every service on these ports."""
    events = Events(ports.store, ports.clock)
    operations = Operations(ports, events)
    runtimes = Runtimes(ports, settings, events, operations)
    homes = KnownHomes(ports, runtimes)
    checkups = Checkups(ports, settings.policy, events)
    claims = Claims(ports, settings.policy, runtimes)
    effects = Effects(ports, settings, runtimes, claims)
    keepers = Keepers(ports, settings.policy, effects, events, homes, checkups, claims)
    rounds = Rounds(ports, settings.policy, runtimes, keepers, checkups)
    samples = Samples(ports, homes, keepers)
    drains = Drains(ports, runtimes, rounds)
    views = GatewayViews(ports, settings.policy, homes, runtimes, keepers, samples, claims)
    listening = Listening(ports, events, homes, runtimes, keepers)
    gateways = Gateways(
        ports, settings, events, operations, homes, runtimes, keepers, views, drains, claims, listening
    )
    environments = Environments(ports, settings, homes, runtimes)
    terminals = Terminals(ports, homes, runtimes, environments)
    leftovers = Leftovers(ports, runtimes, terminals)
    profiles = Profiles(ports, events, operations, homes, runtimes, gateways, views, leftovers, listening)
    usage = Usage(ports, homes)
    deletion_plans = DeletionPlans(ports, settings, operations, runtimes, profiles, usage, leftovers)
    renames = Renames(ports, events, operations, homes, runtimes, gateways, profiles, terminals)
    trash = Trash(ports, settings, events, operations, homes)
    logs = Logs(ports, homes, runtimes)
    drift = Drift(ports, events, operations, homes)
    descriptions = Descriptions(ports, events, operations, homes, runtimes)
    souls = Souls(ports, events, operations, homes, runtimes, views)
    comparisons = Comparisons(ports, homes, runtimes)
    exports = Exports(ports, events, operations, homes, runtimes)
    imports = Imports(ports, events, operations, homes, runtimes)
    aliases = Aliases(ports, events, operations, homes)
    skills = Skills(ports, events, operations, homes, runtimes)
    sharing = Sharing(homes, runtimes, views)
    configs = Configs(ports, events, operations, homes, runtimes, views, sharing)
    plans = CreationPlans(ports, homes, runtimes, sharing, listening)
    creations = Creations(ports, events, operations, homes, runtimes, plans, sharing, skills, listening)
    doctor = Doctor(
        ports,
        operations,
        homes,
        runtimes,
        HomeChecks(ports, runtimes, views),
        MachineChecks(ports, settings, operations, homes, runtimes, keepers, profiles, trash),
    )
    return Services(
        events=events,
        operations=operations,
        runtimes=runtimes,
        keepers=keepers,
        rounds=rounds,
        gateways=gateways,
        views=views,
        claim_views=ClaimViews(homes, runtimes, keepers, claims),
        fleet=Fleet(ports, settings, operations, homes, runtimes, gateways, views),
        profiles=profiles,
        renames=renames,
        terminals=terminals,
        environments=environments,
        trash=trash,
        usage=usage,
        deletion_plans=deletion_plans,
        creations=creations,
        doctor=doctor,
        descriptions=descriptions,
        souls=souls,
        configs=configs,
        comparisons=comparisons,
        exports=exports,
        imports=imports,
        aliases=aliases,
        drift=drift,
        captures=Captures(ports, keepers.live),
        skills=skills,
        logs=logs,
        samples=samples,
        listening=listening,
    )
