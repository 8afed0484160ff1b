"""The list of gateways as something that can be on show. Must not change anything."""

from collections.abc import Sequence
from dataclasses import replace

from google.protobuf.message import Message

from hermesctl import gateway_view as view
from hermesctl.session import Session
from hermesctl.tables import fitting, hidden, table
from hermesctl.terminal import Terminal
from hermesd.v1 import gateways_pb2 as v1

HEAD_LINES = 2
"""Lines of the screen that are no gateways: headers, and one that says what is hidden."""


class GatewayBoard:
    """All gateways."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def _terminal(self) -> Terminal:
        return self._session.terminal

    def ask(self) -> Sequence[v1.Gateway]:
        """How things are."""
        return self._session.client.gateways.ListGateways(v1.ListGatewaysRequest()).gateways

    def rows(self, state: Sequence[v1.Gateway]) -> dict[str, Message]:
        """Gateways by the name of their profile."""
        return {gateway.profile: gateway for gateway in state}

    def lasting(self, row: Message) -> Message:
        """A gateway without what changes all the time."""
        return view.lasting(row) if isinstance(row, v1.Gateway) else row

    def screen(self, state: Sequence[v1.Gateway], height: int) -> str:
        """All of them; where not all fit, those that somebody should look at come first."""
        shown = fitting(state, max(height - HEAD_LINES, 1), lambda one: view.look(one) is not None)
        return self.lines(shown, has_headers=True) + hidden(len(state) - len(shown))

    def lines(self, rows: Sequence[Message], *, has_headers: bool) -> str:
        """Some gateways."""
        gateways = [row for row in rows if isinstance(row, v1.Gateway)]
        layout = self._session.renderer.layout
        layout = replace(layout, has_headers=has_headers and layout.has_headers)
        return table(gateways, view.columns(self._terminal), layout)
