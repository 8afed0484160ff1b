"""The client, against a fake daemon."""

import pytest

pytest.register_assert_rewrite("tests.cli.transcripts")
