"""Serves `ConfigsService`."""

from collections.abc import Mapping
from typing import Any

import grpc

from hermesd.api.convert import timestamp
from hermesd.api.requests import requester
from hermesd.domain.configuration import Change, ConfigFile
from hermesd.domain.errors import ArgumentInvalid
from hermesd.domain.profile import ProfileName
from hermesd.domain.version import Origin, Version
from hermesd.services.configs import ChangedSetting, Configs, ConfigView, Setting, Updated
from hermesd.v1 import configs_pb2 as v1
from hermesd.v1 import configs_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

FILES: Mapping[ConfigFile, v1.ConfigFile.ValueType] = {
    ConfigFile.CONFIG: v1.CONFIG_FILE_CONFIG,
    ConfigFile.ENV: v1.CONFIG_FILE_ENV,
}
ORIGINS: Mapping[Origin, v1.ConfigOrigin.ValueType] = {
    Origin.FOUND: v1.CONFIG_ORIGIN_FOUND,
    Origin.COMMAND: v1.CONFIG_ORIGIN_COMMAND,
    Origin.REVERT: v1.CONFIG_ORIGIN_REVERT,
    Origin.ELSEWHERE: v1.CONFIG_ORIGIN_ELSEWHERE,
}


class ConfigsServicer(configs_pb2_grpc.ConfigsServiceServicer):
    """Translates for `services/configs.py`."""

    def __init__(self, configs: Configs) -> None:
        self._configs = configs

    async def GetConfig(self, request: v1.GetConfigRequest, context: Context) -> v1.Config:
        name = ProfileName.parse(request.profile)
        return _config(await self._configs.get(name, _file(request.file), request.version))

    async def GetSetting(self, request: v1.GetSettingRequest, context: Context) -> v1.Setting:
        name = ProfileName.parse(request.profile)
        return _setting(await self._configs.setting(name, request.key, is_variable=request.is_variable))

    async def RevealSetting(self, request: v1.RevealSettingRequest, context: Context) -> v1.RevealSettingResponse:
        name, asked_by = ProfileName.parse(request.profile), requester(context)
        value = await self._configs.reveal(name, request.key, asked_by, is_variable=request.is_variable)
        return v1.RevealSettingResponse(value=value)

    async def UpdateConfig(self, request: v1.UpdateConfigRequest, context: Context) -> v1.UpdateConfigResponse:
        name, asked_by = ProfileName.parse(request.profile), requester(context)
        changes = [Change(one.key, one.value if one.HasField("value") else None) for one in request.changes]
        return _updated(await self._configs.update(name, changes, asked_by, are_variables=request.are_variables))

    async def CopyVariables(self, request: v1.CopyVariablesRequest, context: Context) -> v1.UpdateConfigResponse:
        source, name = ProfileName.parse(request.source), ProfileName.parse(request.profile)
        return _updated(await self._configs.copy_variables(source, name, request.names, requester(context)))

    async def OpenConfig(self, request: v1.OpenConfigRequest, context: Context) -> v1.ConfigText:
        name, file = ProfileName.parse(request.profile), _file(request.file)
        found, revision = await self._configs.open_text(name, file, requester(context))
        text = (found.data or b"").decode()
        return v1.ConfigText(file=FILES[file], path=str(found.path), text=text, revision=revision)

    async def WriteConfig(self, request: v1.WriteConfigRequest, context: Context) -> v1.UpdateConfigResponse:
        name, file, asked_by = ProfileName.parse(request.profile), _file(request.file), requester(context)
        return _updated(await self._configs.replace_text(name, file, request.text, request.revision, asked_by))

    async def ListConfigVersions(
        self, request: v1.ListConfigVersionsRequest, context: Context
    ) -> v1.ListConfigVersionsResponse:
        found = await self._configs.versions(ProfileName.parse(request.profile), _file(request.file))
        return v1.ListConfigVersionsResponse(versions=map(_version, found))

    async def RevertConfig(self, request: v1.RevertConfigRequest, context: Context) -> v1.UpdateConfigResponse:
        name, asked_by = ProfileName.parse(request.profile), requester(context)
        return _updated(await self._configs.revert(name, _file(request.file), request.version, asked_by))


def _file(wanted: v1.ConfigFile.ValueType) -> ConfigFile:
    if wanted == v1.CONFIG_FILE_UNSPECIFIED:
        return ConfigFile.CONFIG
    found = next((file for file, number in FILES.items() if number == wanted), None)
    if found is None:
        raise ArgumentInvalid(f"there is no file of settings with the number {wanted}")
    return found


def _config(view: ConfigView) -> v1.Config:
    return v1.Config(
        file=FILES[view.file],
        path=str(view.path),
        text=view.text,
        settings=map(_setting, view.settings),
        version=view.version,
    )


def _setting(setting: Setting) -> v1.Setting:
    return v1.Setting(
        file=FILES[setting.file],
        key=setting.key,
        value=setting.shown.text,
        is_secret=setting.shown.is_secret,
        is_default=setting.is_default,
    )


def _updated(updated: Updated) -> v1.UpdateConfigResponse:
    files = [
        v1.ChangedFile(file=FILES[one.file], path=str(one.path), before=one.before, after=one.after)
        for one in updated.files
    ]
    settings = map(_changed, updated.settings)
    return v1.UpdateConfigResponse(
        files=files, settings=settings, is_running=updated.is_running, notices=updated.notices
    )


def _changed(one: ChangedSetting) -> v1.ChangedSetting:
    before, after = (None if shown is None else shown.text for shown in (one.before, one.after))
    return v1.ChangedSetting(file=FILES[one.file], key=one.key, before=before, after=after)


def _version(version: Version) -> v1.ConfigVersion:
    return v1.ConfigVersion(
        number=version.number,
        kept_at=timestamp(version.at_s),
        origin=ORIGINS[version.origin],
        size_bytes=version.size_bytes,
    )
