"""Profiles as messages of the contract: what they are, share and take. Pure; one function a message."""

from hermesd.api import convert, gateway_messages
from hermesd.domain.grants import SharedGrant
from hermesd.domain.profile import ProfileName
from hermesd.domain.usage import DiskUsage
from hermesd.services.deletion_plans import DeletionPlan
from hermesd.services.profiles import ProfileView
from hermesd.services.souls import SoulView
from hermesd.v1 import profiles_pb2


def profile(view: ProfileView) -> profiles_pb2.Profile:
    """A profile."""
    home, facts = view.known.home, view.facts
    api = facts.api_server
    return profiles_pb2.Profile(
        name=home.name.text,
        id=view.known.id,
        path=str(home.path),
        description=facts.description,
        model=facts.model,
        provider=facts.provider,
        base_url=facts.base_url,
        is_sticky_default=view.is_sticky_default,
        aliases=view.aliases,
        skill_count=facts.skill_count,
        distribution=facts.distribution,
        api_server=profiles_pb2.ApiServer(enabled=api.is_enabled, host=api.host, port=api.port),
        runtime=view.runtime,
        gateway=gateway_messages.gateway(view.gateway),
        problems=facts.problems,
        created_at=convert.timestamp(home.identity.birth_ns / 1e9) if home.identity.birth_ns else None,
        display_name=facts.display_name,
        description_is_generated=facts.description_is_generated,
        has_env=facts.has_env,
        env_names=facts.env_names,
        has_soul=facts.has_soul,
        key_env=facts.key_env,
        has_key=facts.has_key,
        channels=[
            profiles_pb2.Channel(platform=one.platform, variable=one.variable, fingerprint=one.fingerprint)
            for one in view.credentials
        ],
        grants=[shared_grant(one, home.name) for one in view.grants],
    )


def shared_grant(shared: SharedGrant, name: ProfileName) -> profiles_pb2.SharedGrant:
    """A login of a profile that others have too."""
    return profiles_pb2.SharedGrant(
        provider=shared.grant.provider,
        source=shared.grant.source,
        masked=shared.grant.masked,
        profiles=[other.text for other in shared.profiles],
        consequence=shared.consequence,
        fix=shared.way_out(name),
    )


def disk_usage(usage: DiskUsage) -> profiles_pb2.DiskUsage:
    """What a profile takes on disk."""
    parts = [profiles_pb2.DiskPart(name=part.name, bytes=part.size_bytes) for part in usage.parts]
    return profiles_pb2.DiskUsage(bytes=usage.size_bytes, parts=parts, is_partial=usage.is_partial)


def deletion_plan(plan: DeletionPlan) -> profiles_pb2.DeletionPlan:
    """What a deletion takes away."""
    held = plan.holdings
    return profiles_pb2.DeletionPlan(
        profile=profile(plan.view),
        usage=disk_usage(plan.usage),
        session_count=held.session_count,
        job_count=held.job_count,
        secret_count=held.secret_count,
        kept_for=None if plan.kept_s is None else convert.duration(plan.kept_s),
        aliases=plan.aliases,
        origin=held.origin,
        link_target=plan.link_target,
        leftovers=[profiles_pb2.Leftover(message=one.message, fix=one.fix) for one in plan.leftovers],
    )


def soul(view: SoulView) -> profiles_pb2.Soul:
    """A SOUL.md."""
    return profiles_pb2.Soul(
        text=view.soul.text, revision=view.soul.revision, path=str(view.path), is_in_use=view.is_in_use
    )
