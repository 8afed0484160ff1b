"""Comparisons: in what two profiles differ.

Owns: which profiles are read, and that neither is written. Must not know formats, or what a difference means.
"""

import asyncio

from hermesd.domain.comparison import Contrast, Side, contrasts
from hermesd.domain.configuration import ConfigFile
from hermesd.domain.ports import Ports
from hermesd.domain.profile import ProfileName
from hermesd.services.homes import KnownHomes
from hermesd.services.runtimes import Runtimes


class Comparisons:
    """Compares profiles."""

    def __init__(self, ports: Ports, homes: KnownHomes, runtimes: Runtimes) -> None:
        self._ports = ports
        self._homes = homes
        self._runtimes = runtimes

    async def compare(self, left: ProfileName, right: ProfileName) -> list[Contrast]:
        """Everything that is another, secrets by what tells one from another.

        Raises:
            ProfileNotFound: one of them is not there.
            ConfigInvalid, Incompatible, NotPermitted: one cannot be read.
        """
        sides = [await self._side(name) for name in (left, right)]
        return list(contrasts(*sides))

    async def _side(self, name: ProfileName) -> Side:
        home = (await self._homes.get(name)).home
        files = self._runtimes.agent_of(name).config_files

        def read() -> Side:
            texts = {file: files.read(home, file) for file in ConfigFile}
            values = {file: files.values(file, text.data or b"", text.path) for file, text in texts.items()}
            skills = self._ports.skills.versions(home.path)
            return Side(values[ConfigFile.CONFIG], values[ConfigFile.ENV], skills)

        return await asyncio.to_thread(read)
