"""Settings over a real socket: every method, every file and origin, and no secret but one that is asked for."""

import grpc
import pytest

from hermesd.api.configs import FILES, ORIGINS
from hermesd.domain.configuration import ConfigFile
from hermesd.domain.version import Origin
from hermesd.v1 import configs_pb2 as v1
from hermesd.v1 import configs_pb2_grpc
from tests.api.serving import Served

pytestmark = [pytest.mark.fast, pytest.mark.api]

CANARY = "canary-of-a-secret-0123456789"


async def test_settings_are_set_shown_and_taken_back(served: Served) -> None:
    """With the numbers of the versions, and without the secret anywhere."""
    stub = configs_pb2_grpc.ConfigsServiceStub(served.channel)
    changes = [v1.SettingChange(key="level", value="7"), v1.SettingChange(key="MY_KEY", value=CANARY)]
    done = await stub.UpdateConfig(v1.UpdateConfigRequest(profile="Coder", changes=changes))
    assert [(one.file, one.before, one.after) for one in done.files] == [
        (v1.CONFIG_FILE_ENV, 0, 1),
        (v1.CONFIG_FILE_CONFIG, 0, 1),
    ]
    assert [(one.key, one.HasField("before")) for one in done.settings] == [("MY_KEY", False), ("level", False)]
    gone = v1.UpdateConfigRequest(profile="coder", changes=[v1.SettingChange(key="MY_KEY")], are_variables=True)
    taken = await stub.UpdateConfig(gone)
    assert [(one.key, one.HasField("after")) for one in taken.settings] == [("MY_KEY", False)]
    back = v1.RevertConfigRequest(profile="coder", file=v1.CONFIG_FILE_ENV, version=1)
    assert [one.after for one in (await stub.RevertConfig(back)).files] == [3]
    listed = await stub.ListConfigVersions(v1.ListConfigVersionsRequest(profile="coder", file=v1.CONFIG_FILE_ENV))
    assert [(one.number, one.origin) for one in listed.versions] == [
        (3, v1.CONFIG_ORIGIN_REVERT),
        (2, v1.CONFIG_ORIGIN_COMMAND),
        (1, v1.CONFIG_ORIGIN_COMMAND),
    ]
    env = await stub.GetConfig(v1.GetConfigRequest(profile="coder", file=v1.CONFIG_FILE_ENV))
    (setting,) = env.settings
    assert (setting.key, setting.is_secret, env.version) == ("MY_KEY", True, 3)
    config = await stub.GetConfig(v1.GetConfigRequest(profile="coder", version=1))
    assert (config.file, config.text) == (v1.CONFIG_FILE_CONFIG, "level=7\n")
    one = await stub.GetSetting(v1.GetSettingRequest(profile="coder", key="MY_KEY", is_variable=True))
    for answer in (done, taken, listed, env, one):
        assert CANARY.encode() not in answer.SerializeToString()
    told = await stub.RevealSetting(v1.RevealSettingRequest(profile="coder", key="MY_KEY"))
    assert told.value == CANARY


async def test_what_is_not_there_is_said(served: Served) -> None:
    """A setting, a version, and a file that a newer client knows."""
    stub = configs_pb2_grpc.ConfigsServiceStub(served.channel)
    for call in (
        stub.GetSetting(v1.GetSettingRequest(profile="coder", key="nothing")),
        stub.GetConfig(v1.GetConfigRequest(profile="coder", version=9)),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call
        assert failure.value.code() is grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stub.GetConfig(v1.GetConfigRequest(profile="coder", file=99))  # type: ignore[arg-type]
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_every_file_and_origin_can_be_told() -> None:
    """The tables of the border are whole."""
    assert FILES.keys() == set(ConfigFile)
    assert ORIGINS.keys() == set(Origin)
    assert len(FILES) == len(v1.ConfigFile.keys()) - 1
    assert len(ORIGINS) == len(v1.ConfigOrigin.keys()) - 1


async def test_a_file_is_opened_and_written_as_a_whole(served: Served) -> None:
    """Only over what was opened, and only what can be read."""
    stub = configs_pb2_grpc.ConfigsServiceStub(served.channel)
    opened = await stub.OpenConfig(v1.OpenConfigRequest(profile="coder"))
    assert (opened.file, opened.text, opened.revision) == (v1.CONFIG_FILE_CONFIG, "", "")
    done = await stub.WriteConfig(v1.WriteConfigRequest(profile="coder", text="level=1\n"))
    assert [(one.before, one.after) for one in done.files] == [(0, 1)]
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stub.WriteConfig(v1.WriteConfigRequest(profile="coder", text="level=2\n"))
    assert failure.value.code() is grpc.StatusCode.ABORTED
    again = await stub.OpenConfig(v1.OpenConfigRequest(profile="coder"))
    assert again.text == "level=1\n"
    assert len(again.revision) == 64


async def test_variables_go_from_one_profile_to_another(served: Served) -> None:
    """Masked in the answer."""
    stub = configs_pb2_grpc.ConfigsServiceStub(served.channel)
    change = v1.SettingChange(key="MY_KEY", value=CANARY)
    await stub.UpdateConfig(v1.UpdateConfigRequest(profile="coder", changes=[change], are_variables=True))
    done = await stub.CopyVariables(v1.CopyVariablesRequest(profile="default", source="coder", names=["MY_KEY"]))
    assert [one.key for one in done.settings] == ["MY_KEY"]
    assert CANARY.encode() not in done.SerializeToString()
