# ruff: noqa: N802 - the contract names the methods
"""The client's stand-in daemon: archives, whose bytes it only counts."""

import hashlib
from collections.abc import Iterator

import grpc

from hermesd.v1 import archives_pb2 as v1
from hermesd.v1 import archives_pb2_grpc, operations_pb2
from tests.fakes.contract import profile
from tests.fakes.world import Refusal, Servicer, refuse

LEAK = v1.ArchiveLeak(path="memories/MEMORY.md", secret=".env: OPENAI_API_KEY", how="in base64")
DATA = b"an archive of "


class Archives(Servicer, archives_pb2_grpc.ArchivesServiceServicer):
    """Archives of what the world says; that of `worker` would leak."""

    def ExportProfile(
        self, request: v1.ExportProfileRequest, context: grpc.ServicerContext
    ) -> Iterator[v1.ExportProfileResponse]:
        self.world.enter(context, request)
        yield v1.ExportProfileResponse(progress=v1.ExportProgress(phase="copy"))
        yield v1.ExportProfileResponse(progress=v1.ExportProgress(phase="search", done=1, total=3))
        is_leaking = request.profile == "worker"
        contents = v1.ExportContents(
            entries=[
                v1.ArchiveEntry(path="SOUL.md", size_bytes=270),
                v1.ArchiveEntry(path="skills", is_directory=True),
                v1.ArchiveEntry(path="skills/a\x1b[2J.md", size_bytes=1_200_000),
            ],
            staying=[
                v1.StayingEntry(path=".env", why="secrets"),
                *(v1.StayingEntry(path=f"logs/{number}.log", why="logs") for number in range(8)),
                *([] if request.include_sessions else [v1.StayingEntry(path="state.db", why="conversations")]),
            ],
            leaks=[LEAK] if is_leaking else [],
            warnings=["out -> /etc: what a link leads to outside was left behind"] if is_leaking else [],
        )
        yield v1.ExportProfileResponse(contents=contents)
        if is_leaking and not request.redact:
            why = "OPENAI_API_KEY of .env in memories/MEMORY.md (in base64)"
            message = f"cannot export 'worker': secrets would leave with it: {why}"
            fix = {"fix": "hermesctl profile export worker --redact"}
            refuse(context, Refusal("ARCHIVE_UNSAFE", message, fix))
        if not request.dry_run:
            yield v1.ExportProfileResponse(data=DATA)
            yield v1.ExportProfileResponse(data=request.profile.encode())

    def PlanImport(
        self, request_iterator: Iterator[v1.PlanImportRequest], context: grpc.ServicerContext
    ) -> v1.ImportPlan:
        order, data = self._received(request_iterator, context)
        name = order.profile or "bot"
        return v1.ImportPlan(
            profile=name,
            path=f"/home/ana/.hermes/profiles/{name}",
            digest=hashlib.sha256(data).hexdigest(),
            file_count=2,
            size_bytes=1234,
            left_out=[v1.StayingEntry(path="auth.json", why="secrets")],
            acts=[
                v1.ImportAct(
                    category="hook",
                    what="evil\x1b[2J",
                    is_disabled=True,
                    enabling="move hooks.disabled/evil to hooks/",
                ),
                v1.ImportAct(category="redirection of the model", what="model.base_url: https://evil.example"),
            ],
        )

    def ImportProfile(
        self, request_iterator: Iterator[v1.ImportProfileRequest], context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        order, data = self._received(request_iterator, context)
        if order.digest not in {"", hashlib.sha256(data).hexdigest()}:
            refuse(context, Refusal("CHANGED_MEANWHILE", "this is not the archive that was looked at before"))
        name = order.profile or "bot"
        self.world.warnings = ["what would run by itself arrived switched off: evil"]
        made = profile(name, aliases=[] if order.no_alias else [name])
        return self.world.begin("profile.import", name, lambda: self.world.profiles.update({name: made}))

    def _received(
        self, pieces: Iterator[v1.ImportProfileRequest | v1.PlanImportRequest], context: grpc.ServicerContext
    ) -> tuple[v1.ImportOrder, bytes]:
        first = next(pieces)
        data = b"".join(piece.data for piece in pieces)
        self.world.enter(context, first)
        if not data.startswith(DATA):
            refuse(context, Refusal("ARCHIVE_CORRUPT", "cannot import this archive: it is no .tar.gz archive"))
        return first.order, data
