"""Claims over a socket: every field, and no whole digest."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToDict

from hermesd.api.claims import KINDS, STATES, ClaimsServicer
from hermesd.domain.claims import Claim, ClaimKind
from hermesd.domain.claimuse import ClaimUse, ClaimView, UseState
from hermesd.v1 import claims_pb2, claims_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.fast, pytest.mark.api]

DIGEST = "ab12" + "0" * 6 + "9f" + "0" * 52


@dataclass
class Scripted:
    """Answers what a test says, and remembers what was asked."""

    views: list[ClaimView] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def all(self, about: str = "") -> list[ClaimView]:
        """Those that are set."""
        self.asked.append(about)
        return self.views


@pytest.fixture
def views() -> Scripted:
    """What the service finds."""
    return Scripted()


@pytest_asyncio.fixture
async def stub(views: Scripted, tmp_path: Path) -> "AsyncIterator[claims_pb2_grpc.ClaimsServiceAsyncStub]":
    """A client of a server that serves nothing else."""
    server = grpc.aio.server()
    claims_pb2_grpc.add_ClaimsServiceServicer_to_server(ClaimsServicer(views), server)
    server.add_insecure_port(f"unix:{tmp_path}/s")
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/s") as channel:
        yield claims_pb2_grpc.ClaimsServiceStub(channel)
    await server.stop(None)


async def test_every_field_is_told_and_no_digest(
    views: Scripted, stub: "claims_pb2_grpc.ClaimsServiceAsyncStub"
) -> None:
    """In the order in which the service gives them."""
    bot = Claim(ClaimKind.BOT, "telegram", "T", DIGEST, agents_lock="telegram-bot-token-ab.lock")
    port = Claim(ClaimKind.PORT, "api_server", "API_SERVER_PORT", port=8643)
    views.views = [
        ClaimView(
            bot,
            (
                ClaimUse(UseState.HELD, "coder", "T", pid=7, wanted_since_s=5.0, file=".env"),
                ClaimUse(UseState.WAITING, "worker", "platforms.telegram.token", wanted_since_s=9.5),
            ),
        ),
        ClaimView(port, (ClaimUse(UseState.FOREIGN, pid=99, holder="nginx (pid 99)"),)),
    ]
    answer = await stub.ListClaims(claims_pb2.ListClaimsRequest(about="telegram"))
    assert views.asked == ["telegram"]
    assert MessageToDict(answer, preserving_proto_field_name=True) == {
        "claims": [
            {
                "kind": "CLAIM_KIND_BOT",
                "platform": "telegram",
                "masked": "sha256:ab12…9f",
                "uses": [
                    {
                        "profile": "coder",
                        "state": "CLAIM_STATE_HELD",
                        "source": "T",
                        "pid": 7,
                        "wanted_since": "1970-01-01T00:00:05Z",
                        "file": ".env",
                    },
                    {
                        "profile": "worker",
                        "state": "CLAIM_STATE_WAITING",
                        "source": "platforms.telegram.token",
                        "wanted_since": "1970-01-01T00:00:09.500Z",
                    },
                ],
            },
            {
                "kind": "CLAIM_KIND_PORT",
                "platform": "api_server",
                "masked": "port 8643",
                "port": 8643,
                "uses": [{"state": "CLAIM_STATE_FOREIGN", "pid": 99, "holder": "nginx (pid 99)"}],
            },
        ]
    }
    assert DIGEST.encode() not in answer.SerializeToString()


async def test_nothing_found_is_an_empty_answer(stub: "claims_pb2_grpc.ClaimsServiceAsyncStub") -> None:
    """No failure: the caller knows best what to make of it."""
    assert await stub.ListClaims(claims_pb2.ListClaimsRequest()) == claims_pb2.ListClaimsResponse()


def test_every_kind_and_state_is_in_the_contract() -> None:
    """And none twice."""
    assert len(set(KINDS.values())) == len(ClaimKind) == len(claims_pb2.ClaimKind.keys()) - 1
    assert len(set(STATES.values())) == len(UseState) == len(claims_pb2.ClaimState.keys()) - 1
