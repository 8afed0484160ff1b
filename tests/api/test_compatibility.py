"""The comparer of contracts: each kind of break is caught, and what merely adds is not."""

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet
from google.protobuf.text_format import Parse

from tests.api.compatibility import Contract, breaks

pytestmark = [pytest.mark.fast, pytest.mark.api]

RELEASED = """
file {
  name: "t.proto" package: "t" syntax: "proto3"
  message_type {
    name: "Bot"
    field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "name" }
    field { name: "age" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL json_name: "age" }
    field { name: "mood" number: 3 type: TYPE_ENUM type_name: ".t.Mood" label: LABEL_OPTIONAL json_name: "mood" }
    field { name: "either" number: 4 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 json_name: "either" }
    oneof_decl { name: "choice" }
    nested_type {
      name: "Part"
      field { name: "size" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL json_name: "size" }
    }
    enum_type { name: "Kind" value { name: "KIND_ANY" number: 0 } }
  }
  message_type { name: "Nothing" }
  enum_type { name: "Mood" value { name: "MOOD_ANY" number: 0 } value { name: "MOOD_GOOD" number: 1 } }
  service {
    name: "Bots"
    method { name: "Get" input_type: ".t.Nothing" output_type: ".t.Bot" }
    method { name: "Watch" input_type: ".t.Nothing" output_type: ".t.Bot" server_streaming: true }
  }
}
"""

CHANGES = {
    "file[0].message_type[0].field[0].number = 9": "field t.Bot.name: number was 1 and is 9",
    "file[0].message_type[0].field[0].name = 'title'": "field t.Bot.name is gone",
    "file[0].message_type[0].field.pop(1)": "field t.Bot.age is gone",
    "file[0].message_type[0].field[1].type = 3": "field t.Bot.age: type was TYPE_INT32 and is TYPE_INT64",
    "file[0].message_type[0].field[1].label = 3": (
        "field t.Bot.age: repetition was LABEL_OPTIONAL and is LABEL_REPEATED"
    ),
    "file[0].message_type[0].field[2].type_name = '.t.X'": "field t.Bot.mood: type was .t.Mood and is .t.X",
    "file[0].message_type[0].field[3].ClearField('oneof_index')": (
        "field t.Bot.either: oneof was choice and is none"
    ),
    "file[0].message_type[0].field[1].oneof_index = 0": "field t.Bot.age: oneof was none and is choice",
    "file[0].message_type[0].field[1].proto3_optional = True": "field t.Bot.age: presence was False and is True",
    "file[0].message_type[0].field[1].json_name = 'years'": "field t.Bot.age: JSON name was age and is years",
    "file[0].message_type[0].nested_type[0].field.pop(0)": "field t.Bot.Part.size is gone",
    "file[0].message_type[0].enum_type.pop(0)": "enum t.Bot.Kind is gone",
    "file[0].message_type.pop(1)": "message t.Nothing is gone",
    "file[0].enum_type[0].value[1].number = 2": "enum value t.Mood.MOOD_GOOD: number was 1 and is 2",
    "file[0].enum_type[0].value.pop(1)": "enum value t.Mood.MOOD_GOOD is gone",
    "file[0].enum_type.pop(0)": "enum t.Mood is gone",
    "file[0].service[0].method.pop(0)": "method t.Bots.Get is gone",
    "file[0].service[0].method[0].name = 'Fetch'": "method t.Bots.Get is gone",
    "file[0].service[0].method[0].input_type = '.t.Bot'": (
        "method t.Bots.Get: request was .t.Nothing and is .t.Bot"
    ),
    "file[0].service[0].method[0].output_type = '.t.Nothing'": (
        "method t.Bots.Get: response was .t.Bot and is .t.Nothing"
    ),
    "file[0].service[0].method[0].client_streaming = True": (
        "method t.Bots.Get: streaming of requests was False and is True"
    ),
    "file[0].service[0].method[1].server_streaming = False": (
        "method t.Bots.Watch: streaming of responses was True and is False"
    ),
    "file[0].service.pop(0)": "service t.Bots is gone",
    "file[0].package = 'u'": "service t.Bots is gone",
    "file.pop(0)": "message t.Bot is gone",
}
"""A change as Python says it, after `contract.`, and a complaint that it must cause."""

ADDITIONS = (
    "file[0].message_type[0].field.add(name='new', number=7, type=9, label=1)",
    "file[0].message_type.add(name='New')",
    "file[0].enum_type[0].value.add(name='MOOD_BAD', number=2)",
    "file[0].enum_type.add(name='New')",
    "file[0].service[0].method.add(name='New', input_type='.t.Nothing', output_type='.t.Bot')",
    "file[0].service.add(name='New')",
    "file[0].message_type[0].field[0].options.deprecated = True",
    "file.add(name='new.proto', package='t')",
)


def changed(change: str) -> list[str]:
    """The complaints about the released contract with one change made to it."""
    contract = Parse(RELEASED, FileDescriptorSet())
    released = Contract.read(contract.SerializeToString())
    exec(f"contract.{change}", {"contract": contract})  # the changes are written out above
    return breaks(released, Contract.read(contract.SerializeToString()))


@pytest.mark.parametrize("change", CHANGES)
def test_break_is_caught(change: str) -> None:
    """What an older client relies on cannot change unnoticed, and the complaint names it."""
    assert CHANGES[change] in changed(change)


@pytest.mark.parametrize("addition", ADDITIONS)
def test_addition_is_no_break(addition: str) -> None:
    """What is only added breaks nobody."""
    assert changed(addition) == []


def test_moving_between_files_is_no_break() -> None:
    """Clients know names, not the files they stand in."""
    contract = Parse(RELEASED, FileDescriptorSet())
    released = Contract.read(contract.SerializeToString())
    moved = contract.file.add(name="other.proto", package="t")
    moved.message_type.append(contract.file[0].message_type.pop(1))
    assert breaks(released, Contract.read(contract.SerializeToString())) == []


def test_type_names_are_the_known_ones() -> None:
    """The numbers used above are the types they are meant to be."""
    assert FieldDescriptorProto.TYPE_INT64 == 3
    assert FieldDescriptorProto.TYPE_STRING == 9
