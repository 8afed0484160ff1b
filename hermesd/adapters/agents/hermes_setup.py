"""Bringing a hermes-agent home to a model and an API of its own.

Owns: which settings make the agent use an endpoint (hermes-agent 0.18.2 and 0.19.0), and that keys live in `.env`
alone: `config.yaml` names the variable. Everything is checked before anything is written. Must not know processes.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from hermesd.adapters import dotenvfile, yamlfile
from hermesd.adapters.agents import hermes_api
from hermesd.adapters.agents.hermes_files import CONFIG, ENV, Model, read_model, variables
from hermesd.adapters.agents.hermes_ports import port_in_use
from hermesd.adapters.atomic import write_atomic
from hermesd.adapters.sockets import fleeting_ports
from hermesd.adapters.textfile import read_text
from hermesd.domain.agent import ModelEndpoint, Setup
from hermesd.domain.creation import check_model_name
from hermesd.domain.errors import ArgumentInvalid, PortInUse
from hermesd.domain.listening import FIRST_API_PORT, LAST_PORT, lowest_free

_PROVIDER = "custom"
_LOOPBACK = "127.0.0.1"
_NOT_KEYS = re.compile(r"PATH|HOME|SHELL|EDITOR|PYTHON.*|(?:LD|DYLD|NODE|GIT|HERMES|API_SERVER)_.*", re.IGNORECASE)
"""Names that steer programs: a key under one of them would break what reads it."""


@dataclass
class _Plan:
    """What is to be written, and how people are told. No text in `changes` holds a secret."""

    settings: dict[tuple[str, ...], str] = field(default_factory=dict)
    """For config.yaml, by keys from the top."""
    variables: dict[str, str] = field(default_factory=dict)
    """For .env."""
    changes: list[str] = field(default_factory=list)

    def set(self, key: str, value: str, change: str) -> None:
        """Plans a setting of the model."""
        self.settings["model", key] = value
        self.changes.append(change)


def set_up(home: Path, setup: Setup, taken_ports: frozenset[int]) -> list[str]:
    """See the port. Keys are written before what refers to them."""
    config_text, env_text = read_text(home / CONFIG), read_text(home / ENV)
    config, env = yamlfile.parse_yaml(config_text, home / CONFIG), dotenvfile.parse_env(env_text)
    plan = _Plan()
    if setup.endpoint is not None:
        _plan_endpoint(plan, setup.endpoint, config, env, home)
    if setup.enable_api_server:
        _plan_api(plan, setup.api_server_port, config, env, taken_ports)
    new_env = _with_variables(env_text, plan, home / ENV)
    new_config = yamlfile.with_values(config_text, plan.settings, home / CONFIG) if plan.settings else config_text
    if new_env != env_text:
        write_atomic(home / ENV, new_env.encode())
    if new_config != config_text:
        write_atomic(home / CONFIG, new_config.encode())
    return plan.changes


def _with_variables(text: str, plan: _Plan, path: Path) -> str:
    try:
        return dotenvfile.with_values(text, plan.variables, path) if plan.variables else text
    except ValueError as error:
        raise ArgumentInvalid(str(error)) from error


def _plan_endpoint(
    plan: _Plan, endpoint: ModelEndpoint, config: yamlfile.Data, env: Mapping[str, str], home: Path
) -> None:
    model = read_model(config)
    if endpoint.model:
        check_model_name(endpoint.model)
        if endpoint.model != model.name:
            plan.set("default", endpoint.model, f"the model is {endpoint.model}")
    if endpoint.base_url:
        _check_base_url(endpoint.base_url)
        _plan_base_url(plan, endpoint, model, home)
    if endpoint.key_env or endpoint.key:
        _plan_key(plan, endpoint, model, env)
    if plan.settings and not isinstance(config.get("model"), dict) and model.name:
        plan.settings.setdefault(("model", "default"), model.name)  # it was the section's only value


def _plan_base_url(plan: _Plan, endpoint: ModelEndpoint, model: Model, home: Path) -> None:
    if model.provider != _PROVIDER:
        plan.set("provider", _PROVIDER, f"the provider is {_PROVIDER}")
    if endpoint.base_url == model.base_url:
        return
    plan.set("base_url", endpoint.base_url, f"the model's address is {endpoint.base_url}")
    if not model.api_key or endpoint.key_env or _host(endpoint.base_url) == _host(model.base_url):
        return
    # A key must not follow the address to another host. A reference is dropped; a key itself is not ours to lose.
    if not re.fullmatch(r"\$\{\w+\}", model.api_key):
        raise ArgumentInvalid(
            f"{home / CONFIG} holds a key that was meant for {_host(model.base_url) or 'another address'}",
            hint="name the variable with the new address's key, or remove model.api_key from the file",
        )
    plan.set("api_key", "", "the key of the earlier address is not sent any more")


def _plan_key(plan: _Plan, endpoint: ModelEndpoint, model: Model, env: Mapping[str, str]) -> None:
    name = endpoint.key_env
    if not dotenvfile.NAME.fullmatch(name) or _NOT_KEYS.fullmatch(name):
        raise ArgumentInvalid(f"'{name}' cannot be the name of a key", hint="a name like OPENAI_API_KEY is wanted")
    if not endpoint.key and not env.get(name):
        raise ArgumentInvalid(f"{name} has no value", hint=f"set it first: export {name}=...")
    if endpoint.key and endpoint.key != env.get(name):
        plan.variables[name] = endpoint.key
        plan.changes.append(f"{name} is in {ENV}")
    reference = f"${{{name}}}"
    if (endpoint.base_url or model.base_url) and reference != model.api_key:
        plan.set("api_key", reference, f"the model's key is read from {name}")


def _plan_api(
    plan: _Plan,
    asked_port: int,
    config: yamlfile.Data,
    env: Mapping[str, str],
    taken_ports: frozenset[int],
) -> None:
    if hermes_api.read_api_server(config, variables(config, env)).is_enabled:
        return
    port = choose_port(asked_port, taken_ports)
    plan.variables |= {
        hermes_api.ENABLED: "true",
        hermes_api.KEY: secrets.token_urlsafe(32),
        hermes_api.PORT: str(port),
        hermes_api.HOST: _LOOPBACK,
    }
    plan.changes.append(f"the API server listens on {_LOOPBACK}:{port}, with a fresh key in {ENV}")


def choose_port(asked_port: int, taken_ports: frozenset[int]) -> int:
    """The asked port if it can be had, else the lowest free one."""
    if not 0 <= asked_port <= LAST_PORT:
        raise ArgumentInvalid(f"{asked_port} is not a port", hint=f"a port is 1 to {LAST_PORT}")
    hint = "leave the port out to have a free one chosen"
    if asked_port in taken_ports:
        raise PortInUse(f"port {asked_port} belongs to another profile", hint=hint, port=str(asked_port))
    if asked_port:
        if not hermes_api.is_free(_LOOPBACK, asked_port):
            raise port_in_use(asked_port, hint=hint)
        return asked_port
    return lowest_free(
        FIRST_API_PORT,
        lambda port: port in taken_ports or not hermes_api.is_free(_LOOPBACK, port),
        fleeting_ports(),
    )


def _check_base_url(base_url: str) -> None:
    hint = "an address looks like http://127.0.0.1:11434/v1"
    try:
        parts = urlsplit(base_url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ArgumentInvalid(f"{base_url!r} is not an address of a model: {error}", hint=hint) from error
    if parts.username is not None or parts.password is not None:
        raise ArgumentInvalid(
            "the address of a model must not hold a password", hint="name the key's variable instead"
        )
    if not is_usable or not base_url.isprintable() or " " in base_url or "${" in base_url:
        raise ArgumentInvalid(f"{base_url!r} is not an address of a model", hint=hint)


def _host(base_url: str) -> str:
    return urlsplit(base_url).netloc.lower() if base_url else ""
