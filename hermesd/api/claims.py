"""Serves `ClaimsService`."""

from typing import Any, Protocol

import grpc

from hermesd.api import convert
from hermesd.domain.claims import ClaimKind
from hermesd.domain.claimuse import ClaimUse, ClaimView, UseState
from hermesd.v1 import claims_pb2, claims_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

KINDS = {kind: claims_pb2.ClaimKind.Value(f"CLAIM_KIND_{kind.name}") for kind in ClaimKind}
STATES = {state: claims_pb2.ClaimState.Value(f"CLAIM_STATE_{state.name}") for state in UseState}


class Views(Protocol):
    """Who has what."""

    async def all(self, about: str = "") -> list[ClaimView]:
        """Every claim, or those that a person means by some word; in order."""


class ClaimsServicer(claims_pb2_grpc.ClaimsServiceServicer):
    """Translates for the views of claims."""

    def __init__(self, views: Views) -> None:
        self._views = views

    async def ListClaims(
        self, request: claims_pb2.ListClaimsRequest, context: Context
    ) -> claims_pb2.ListClaimsResponse:
        found = await self._views.all(request.about)
        return claims_pb2.ListClaimsResponse(claims=[_claim(view) for view in found])


def _claim(view: ClaimView) -> claims_pb2.Claim:
    """A claim; of its digest only what people are shown."""
    claim = view.claim
    return claims_pb2.Claim(
        kind=KINDS[claim.kind],
        platform=claim.platform,
        masked=claim.masked,
        port=claim.port,
        uses=[_use(use) for use in view.uses],
    )


def _use(use: ClaimUse) -> claims_pb2.ClaimUse:
    return claims_pb2.ClaimUse(
        profile=use.profile,
        state=STATES[use.state],
        source=use.source,
        file=use.file,
        pid=use.pid or 0,
        holder=use.holder,
        wanted_since=convert.timestamp(use.wanted_since_s),
    )
