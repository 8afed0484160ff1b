"""The HTTP API of hermes-agent: how a home configures it, whether its port is free, whether it answers.

Owns: the settings' names and their order of precedence (hermes-agent 0.18.2 and 0.19.0). Must not know how
settings are changed, nor who has a port.
"""

import errno
import socket
from collections.abc import Mapping
from typing import Any

from hermesd.adapters import jsontext
from hermesd.domain.agent import ApiServer

ENABLED = "API_SERVER_ENABLED"
KEY = "API_SERVER_KEY"
PORT = "API_SERVER_PORT"
HOST = "API_SERVER_HOST"

_TRUE = frozenset({"1", "true", "yes", "on"})
_LEAST_KEY_LENGTH = 16
_ANSWER_LIMIT_S = 1.0
_ANSWER_BYTES = 65_536
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def read_api_server(config: Mapping[str, Any], variables: Mapping[str, str]) -> ApiServer:
    """How the API is configured. A key alone enables it, and variables win over `platforms.api_server`.

    Unless it is they that enable it: then they only fill in what the configuration leaves open.
    """
    section = _section(config)
    settings = {key: str(value) for key, value in _mapping(section.get("extra")).items() if value is not None}
    named = {"host": variables.get(HOST, ""), "port": variables.get(PORT, "")}
    named = {key: value for key, value in named.items() if value}
    chosen = settings | named if is_named(variables) else named | settings
    return ApiServer(
        is_enabled=is_named(variables) or is_true(str(section.get("enabled", ""))),
        host=chosen.get("host", ApiServer.host),
        port=_port(chosen.get("port", "")),
    )


def port_source(config: Mapping[str, Any], variables: Mapping[str, str]) -> tuple[str, bool]:
    """The variable or dotted key that names the port, or could; and whether nobody named one."""
    said = _mapping(_section(config).get("extra")).get("port")
    if said is None or (is_named(variables) and variables.get(PORT)):
        return PORT, not variables.get(PORT)
    special = _mapping(_mapping(_mapping(config.get("platforms")).get("api_server")).get("extra"))
    return ("" if special.get("port") is not None else "gateway.") + "platforms.api_server.extra.port", False


def is_named(variables: Mapping[str, str]) -> bool:
    """Whether it is variables that enable the API, so that they win over the configuration."""
    return is_true(variables.get(ENABLED, "")) or bool(variables.get(KEY))


def key_problem(config: Mapping[str, Any], variables: Mapping[str, str]) -> str:
    """Why the agent will not serve its API although it is enabled; empty if it will."""
    key = variables.get(KEY) or str(_mapping(_section(config).get("extra")).get("key") or "")
    if not read_api_server(config, variables).is_enabled or len(key.strip()) >= _LEAST_KEY_LENGTH:
        return ""
    return f"the API server is enabled, but {KEY} is missing or shorter than {_LEAST_KEY_LENGTH} characters"


def is_true(text: str) -> bool:
    """Whether the agent reads this as yes."""
    return text.strip().lower() in _TRUE


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now.

    Tried the way servers do it, past connections that are only waiting to time out. A host that cannot be
    resolved or is not ours counts as free: that is no matter of the port.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        return True
    return all(_is_bindable(family, address) for family, _, _, _, address in found)


def is_answering(api: ApiServer) -> bool:
    """Whether a hermes-agent answers there. Asked directly: no proxy and no redirection is followed."""
    import http.client  # here, as it is large and only an agent that serves its API needs it

    host = _ANY_ADDRESS.get(api.host, api.host)
    connection = http.client.HTTPConnection(host, api.port, timeout=_ANSWER_LIMIT_S)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        said = jsontext.parse(answer.read(_ANSWER_BYTES)) if answer.status == http.HTTPStatus.OK else {}
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
    return isinstance(said, dict) and said.get("platform") == "hermes-agent"


def _section(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the configuration says of the platform, the more general place overridden by the more special."""
    merged: dict[str, Any] = {}
    for platforms in (_mapping(config.get("gateway")).get("platforms"), config.get("platforms")):
        found = _mapping(_mapping(platforms).get("api_server"))
        extra = {**_mapping(merged.get("extra")), **_mapping(found.get("extra"))}
        merged = {**merged, **found, "extra": extra}
    top = _mapping(config.get("api_server"))
    return {**merged, "enabled": top["enabled"]} if "enabled" in top else merged


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        return ApiServer.port
    return port if 0 < port < 65_536 else ApiServer.port


def _is_bindable(family: int, address: Any) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True
