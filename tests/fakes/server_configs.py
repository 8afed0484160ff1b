# ruff: noqa: N802 - the contract names the methods
"""The client's stand-in daemon: files of settings, each a few keys and values."""

from collections.abc import Mapping

import grpc

from hermesd.v1 import configs_pb2 as v1
from hermesd.v1 import configs_pb2_grpc
from tests.fakes.contract import at
from tests.fakes.world import Refusal, Servicer, refuse

ORIGINS = (v1.CONFIG_ORIGIN_FOUND, v1.CONFIG_ORIGIN_COMMAND, v1.CONFIG_ORIGIN_ELSEWHERE)
PATHS = {v1.CONFIG_FILE_CONFIG: "config.yaml", v1.CONFIG_FILE_ENV: ".env"}


class Configs(Servicer, configs_pb2_grpc.ConfigsServiceServicer):
    """Settings from memory. A key in capital letters is in `.env`, and all there is secret but a number."""

    def GetConfig(self, request: v1.GetConfigRequest, context: grpc.ServicerContext) -> v1.Config:
        self.world.enter(context, request)
        file = request.file or v1.CONFIG_FILE_CONFIG
        kept = self._kept(request.profile, file)
        if request.version > len(kept):
            refuse(context, Refusal("NOT_FOUND", f"there is no version {request.version} of {PATHS[file]}"))
        number = request.version or len(kept)
        values = kept[number - 1] if kept else {}
        settings = [_setting(file, key, value) for key, value in values.items()]
        text = "".join(f"{one.key}: {one.value}\n" for one in settings)
        path = f"/home/ana/.hermes/profiles/{request.profile}/{PATHS[file]}"
        return v1.Config(file=file, path=path, text=text, settings=settings, version=number)

    def GetSetting(self, request: v1.GetSettingRequest, context: grpc.ServicerContext) -> v1.Setting:
        self.world.enter(context, request)
        value = self._value(request, context)
        file = _file_of(request.key, is_variable=request.is_variable)
        setting = _setting(file, request.key, value)
        setting.is_default = value == "default"
        return setting

    def RevealSetting(
        self, request: v1.RevealSettingRequest, context: grpc.ServicerContext
    ) -> v1.RevealSettingResponse:
        self.world.enter(context, request)
        return v1.RevealSettingResponse(value=self._value(request, context))

    def UpdateConfig(
        self, request: v1.UpdateConfigRequest, context: grpc.ServicerContext
    ) -> v1.UpdateConfigResponse:
        self.world.enter(context, request)
        answer = v1.UpdateConfigResponse(is_running=request.profile == "coder")
        for file in (v1.CONFIG_FILE_ENV, v1.CONFIG_FILE_CONFIG):
            own = [one for one in request.changes if _file_of(one.key, is_variable=request.are_variables) == file]
            kept = self._kept(request.profile, file)
            before = dict(kept[-1]) if kept else {}
            after = {key: value for key, value in before.items() if key not in {one.key for one in own}}
            after |= {one.key: one.value for one in own if one.HasField("value")}
            self._replace(answer, request.profile, file, before, after)
        if any(one.key == "aproval.mode" for one in request.changes):
            answer.notices.append("the agent knows no setting aproval.mode; did you mean approvals.mode?")
        return answer

    def CopyVariables(
        self, request: v1.CopyVariablesRequest, context: grpc.ServicerContext
    ) -> v1.UpdateConfigResponse:
        self.world.enter(context, request)
        file = v1.CONFIG_FILE_ENV
        source, kept = (self._kept(name, file) for name in (request.source, request.profile))
        if not source or not set(request.names) <= source[-1].keys():
            refuse(context, Refusal("NOT_FOUND", "it is not set there", code=grpc.StatusCode.NOT_FOUND))
        before = kept[-1] if kept else {}
        answer = v1.UpdateConfigResponse()
        after = before | {name: source[-1][name] for name in request.names}
        self._replace(answer, request.profile, file, before, after)
        return answer

    def OpenConfig(self, request: v1.OpenConfigRequest, context: grpc.ServicerContext) -> v1.ConfigText:
        self.world.enter(context, request)
        file = request.file or v1.CONFIG_FILE_CONFIG
        kept = self._kept(request.profile, file)
        text = "".join(f"{key}={value}\n" for key, value in kept[-1].items()) if kept else ""
        return v1.ConfigText(file=file, path=PATHS[file], text=text, revision=str(len(kept)))

    def WriteConfig(
        self, request: v1.WriteConfigRequest, context: grpc.ServicerContext
    ) -> v1.UpdateConfigResponse:
        self.world.enter(context, request)
        kept = self._kept(request.profile, request.file)
        if request.revision != str(len(kept)):
            refuse(context, Refusal("CHANGED_MEANWHILE", "it was changed since it was opened"))
        lines = [line.partition("=") for line in request.text.splitlines()]
        if not all(mark for _, mark, _ in lines):
            refuse(context, Refusal("CONFIG_INVALID", "cannot use config.yaml: line 1: it says nothing"))
        answer = v1.UpdateConfigResponse()
        after = {key: value for key, _, value in lines}
        self._replace(answer, request.profile, request.file, kept[-1] if kept else {}, after)
        return answer

    def ListConfigVersions(
        self, request: v1.ListConfigVersionsRequest, context: grpc.ServicerContext
    ) -> v1.ListConfigVersionsResponse:
        self.world.enter(context, request)
        kept = self._kept(request.profile, request.file or v1.CONFIG_FILE_CONFIG)
        return v1.ListConfigVersionsResponse(
            versions=[
                v1.ConfigVersion(
                    number=number,
                    kept_at=at(60 * (len(kept) - number + 1)),
                    origin=ORIGINS[number % len(ORIGINS)],
                    size_bytes=100 * number,
                )
                for number in range(len(kept), 0, -1)
            ]
        )

    def RevertConfig(
        self, request: v1.RevertConfigRequest, context: grpc.ServicerContext
    ) -> v1.UpdateConfigResponse:
        self.world.enter(context, request)
        kept = self._kept(request.profile, request.file)
        answer = v1.UpdateConfigResponse()
        self._replace(answer, request.profile, request.file, kept[-1], kept[request.version - 1])
        return answer

    def _kept(self, profile: str, file: int) -> list[dict[str, str]]:
        if profile not in self.world.profiles:
            return []
        return self.world.configs.setdefault((profile, file), [])

    def _value(
        self, request: "v1.GetSettingRequest | v1.RevealSettingRequest", context: grpc.ServicerContext
    ) -> str:
        kept = self._kept(request.profile, _file_of(request.key, is_variable=request.is_variable))
        if not kept or request.key not in kept[-1]:
            refuse(context, Refusal("NOT_FOUND", f"{request.key} is not set", code=grpc.StatusCode.NOT_FOUND))
        return kept[-1][request.key]

    def _replace(
        self,
        answer: v1.UpdateConfigResponse,
        profile: str,
        file: v1.ConfigFile.ValueType,
        before: Mapping[str, str],
        after: Mapping[str, str],
    ) -> None:
        if before == after:
            return
        kept = self._kept(profile, file)
        kept.append(dict(after))
        answer.files.add(file=file, path=f"/home/{PATHS[file]}", before=len(kept) - 1, after=len(kept))
        for key in [*after, *(key for key in before if key not in after)]:
            if before.get(key) != after.get(key):
                was, now = (_shown(file, one[key]) if key in one else None for one in (before, after))
                answer.settings.add(file=file, key=key, before=was, after=now)


def _file_of(key: str, *, is_variable: bool) -> v1.ConfigFile.ValueType:
    return v1.CONFIG_FILE_ENV if is_variable or key.isupper() else v1.CONFIG_FILE_CONFIG


def _shown(file: int, value: str) -> str:
    is_secret = file == v1.CONFIG_FILE_ENV and not value.isdecimal()
    return f"set · sha256:77c0…1d · {len(value)} chars" if is_secret else value


def _setting(file: v1.ConfigFile.ValueType, key: str, value: str) -> v1.Setting:
    return v1.Setting(file=file, key=key, value=_shown(file, value), is_secret=_shown(file, value) != value)
