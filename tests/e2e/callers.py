"""What people do with whole profiles, through the API of a real daemon, and what then lies on the machine.

Owns: the calls, and one look at everything that must agree. Must not know what a test proves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hermesctl.client import Client
from hermesctl.client.failures import explain_operation
from hermesd.v1 import operations_pb2, profiles_pb2, trash_pb2
from hermesd.v1.operations_pb2 import Operation
from hermesd.v1.profiles_pb2 import Profile
from hermesd.v1.trash_pb2 import TrashedProfile
from tests.e2e.house import Machine

LIMIT_S = 60.0
DEFAULT = "default"


@dataclass(frozen=True)
class Caller:
    """The profiles of a machine as a client sees them. A call returns once it is answered, not once it is done."""

    client: Client

    def create(self, name: str) -> Operation:
        """A blank profile with its alias."""
        return self.client.profiles.CreateProfile(profiles_pb2.CreateProfileRequest(profile=name), timeout=LIMIT_S)

    def clone(self, source: str, name: str) -> Operation:
        """All of a profile as another one."""
        extent = profiles_pb2.CLONE_EXTENT_EVERYTHING
        request = profiles_pb2.CreateProfileRequest(
            profile=name, clone_from=source, clone_extent=extent, no_alias=True
        )
        return self.client.profiles.CreateProfile(request, timeout=LIMIT_S)

    def rename(self, name: str, new_name: str) -> Operation:
        """Another name."""
        request = profiles_pb2.RenameProfileRequest(profile=name, new_name=new_name)
        return self.client.profiles.RenameProfile(request, timeout=LIMIT_S)

    def delete(self, name: str, *, purge: bool = False) -> Operation:
        """Into the trash, or for good."""
        request = profiles_pb2.DeleteProfileRequest(profile=name, purge=purge)
        return self.client.profiles.DeleteProfile(request, timeout=LIMIT_S)

    def restore(self, trash_id: str, name: str = "") -> Operation:
        """Back from the trash."""
        request = trash_pb2.RestoreProfileRequest(id=trash_id, profile=name)
        return self.client.trash.RestoreProfile(request, timeout=LIMIT_S)

    def empty(self, *trash_ids: str) -> Operation:
        """Gone for good."""
        return self.client.trash.EmptyTrash(trash_pb2.EmptyTrashRequest(ids=trash_ids), timeout=LIMIT_S)

    def done(self, operation: Operation) -> Operation:
        """The operation once it has ended, which must not take for ever.

        Raises:
            HermesError: it failed or was cancelled.
        """
        watched = operations_pb2.WatchOperationRequest(id=operation.id)
        for current in self.client.operations.WatchOperation(watched, timeout=LIMIT_S):
            operation = current
        if failure := explain_operation(operation):
            raise failure
        return operation

    def use(self, name: str) -> None:
        """The sticky default."""
        self.client.profiles.UseProfile(profiles_pb2.UseProfileRequest(profile=name), timeout=LIMIT_S)

    def show(self, name: str) -> Profile:
        """One profile."""
        return self.client.profiles.GetProfile(profiles_pb2.GetProfileRequest(profile=name), timeout=LIMIT_S)

    def profiles(self) -> dict[str, Profile]:
        """Every profile but the default, by name."""
        found = self.client.profiles.ListProfiles(profiles_pb2.ListProfilesRequest(), timeout=LIMIT_S).profiles
        return {one.name: one for one in found if one.name != DEFAULT}

    def trash(self) -> dict[str, TrashedProfile]:
        """Every deleted profile, by the id of its entry."""
        found = self.client.trash.ListTrash(trash_pb2.ListTrashRequest(), timeout=LIMIT_S).profiles
        return {one.id: one for one in found}

    def operations(self) -> list[Operation]:
        """The history, newest first."""
        request = operations_pb2.ListOperationsRequest(page_size=1000)
        return list(self.client.operations.ListOperations(request, timeout=LIMIT_S).operations)


def directories(machine: Machine) -> dict[str, Path]:
    """Every directory that hermes-agent would call a profile."""
    return {path.name: path for path in (machine.root / "profiles").iterdir() if path.name[0] != "."}


def aliases(machine: Machine) -> Mapping[str, str]:
    """Every alias in the bin directory and the profile that it calls, as hermes-agent reads it."""
    found = {}
    for path in (machine.home / ".local" / "bin").glob("*"):
        _, _, rest = path.read_text().partition("hermes -p ")
        found[path.name] = rest.split()[0]
    return found


def litter(machine: Machine) -> list[Path]:
    """What is half made or half removed."""
    staging = machine.root / "profiles" / ".hermesd"
    found = [*(staging / "new").glob("*"), *(staging / "trash").glob(".*"), *machine.home.rglob(".*.tmp")]
    return [path for path in found if path.exists()]
