"""Archives that no one should unpack, and why: what a stranger can write into a gzip tar.

Owns: how they are made, byte by byte where a library would refuse. Must not know what refuses them.
"""

import gzip
import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROOT = "bot"


@dataclass(frozen=True)
class Hostile:
    """An archive and what has to be said of it."""

    name: str
    data: Callable[[], bytes]
    why: str
    """A part of the reason."""


def packed(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """These members, below the directory of a profile."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for info, data in members:
            info.size = len(data) if info.isreg() else info.size
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(stream.getvalue(), mtime=0)


def member(path: str, data: bytes = b"", **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    """A file, or whatever `type` says."""
    info = tarfile.TarInfo(path)
    info.mode = 0o600
    for name, value in attributes.items():
        setattr(info, name, value)
    return info, data


def top() -> tuple[tarfile.TarInfo, bytes]:
    """The directory of the profile."""
    return member(ROOT, type=tarfile.DIRTYPE, mode=0o700)


def good() -> bytes:
    """An archive that is fine."""
    return packed(top(), member(f"{ROOT}/SOUL.md", b"who I am"), member(f"{ROOT}/notes/a.txt", b"text" * 500))


def _tar() -> bytes:
    return gzip.decompress(good())


def _broken(changes: Mapping[int, bytes]) -> bytes:
    """The good one with other bytes at these places of the tar."""
    data = bytearray(_tar())
    for place, written in changes.items():
        data[place : place + len(written)] = written
    return gzip.compress(bytes(data), mtime=0)


def _second_header() -> int:
    return 512


def _pax(records: dict[str, str], path: str = f"{ROOT}/x") -> tuple[tarfile.TarInfo, bytes]:
    return member(path, b"x", pax_headers=records)


def _huge_pax() -> bytes:
    """A header that says it has a gigabyte of names, all zeros."""
    info = tarfile.TarInfo("@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    return gzip.compress(info.tobuf() + b"\0" * (1 << 20), mtime=0)


def _many(count: int) -> bytes:
    """Empty files, more than anybody has."""
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1, mtime=0) as out:
        for number in range(count):
            out.write(tarfile.TarInfo(f"{ROOT}/{number}").tobuf())
        out.write(b"\0" * 1024)
    return stream.getvalue()


def _bomb(size: int) -> bytes:
    return packed(top(), member(f"{ROOT}/big", b"\0" * size))


def _links(*pairs: tuple[str, str], kind: bytes = tarfile.SYMTYPE) -> bytes:
    links = [member(f"{ROOT}/{name}", type=kind, linkname=target) for name, target in pairs]
    return packed(top(), member(f"{ROOT}/sub/file", b"x"), *links)


def _special(kind: bytes) -> bytes:
    return packed(top(), member(f"{ROOT}/dev", type=kind))


HOSTILE = [
    Hostile("empty", lambda: b"", "it is empty"),
    Hostile("no archive", lambda: b"PK\x03\x04" + b"\0" * 60, "no .tar.gz"),
    Hostile("gzip of no tar", lambda: gzip.compress(b"hello" * 400), "damaged or cut off"),
    Hostile("gzip of nothing", lambda: gzip.compress(b""), "damaged or cut off"),
    Hostile("cut off in gzip", lambda: good()[:-20], "damaged or cut off"),
    Hostile("cut off at its half", lambda: good()[: len(good()) // 2], "damaged or cut off"),
    Hostile("no end of members", lambda: gzip.compress(_tar()[:2048]), "damaged or cut off"),
    Hostile("wrong sum of gzip", lambda: good()[:-8] + b"\1\2\3\4" + good()[-4:], "damaged or cut off"),
    Hostile("wrong sum of a header", lambda: _broken({_second_header(): b"evil"}), "damaged or cut off"),
    Hostile("bytes behind gzip", lambda: good() + b"and more", "damaged or cut off"),
    Hostile("a member behind the end", lambda: gzip.compress(_tar() + _tar()), "hidden behind its last member"),
    Hostile("a member that goes back", lambda: packed(top(), _pax({"size": "-512"})), ""),
    Hostile("a huge header", _huge_pax, "larger than any is"),
    Hostile("absolute path", lambda: packed(member("/etc/cron.d/x", b"x")), "absolute path"),
    Hostile("a path out", lambda: packed(top(), member(f"{ROOT}/../x", b"x")), "leads out"),
    Hostile("a path out at its end", lambda: packed(top(), member(f"{ROOT}/a/..", b"x")), "leads out"),
    Hostile("a path that is out", lambda: packed(member("../x", b"x")), "leads out"),
    Hostile("a path with a dot", lambda: packed(top(), member(f"{ROOT}/./x", b"x")), "leads out"),
    Hostile("a path without a name", lambda: packed(top(), member(f"{ROOT}//x", b"x")), "leads out"),
    Hostile("backslashes", lambda: packed(top(), member(f"{ROOT}/..\\..\\x", b"x")), "backslash"),
    Hostile("a drive", lambda: packed(member("C:/x", b"x")), "drive"),
    Hostile("a line end in a name", lambda: packed(top(), member(f"{ROOT}/a\nb", b"x")), "control character"),
    Hostile("an escape in a name", lambda: packed(top(), member(f"{ROOT}/\x1b[2Jx", b"x")), "control character"),
    Hostile("a pax path out", lambda: packed(top(), _pax({"path": f"{ROOT}/../../x"})), "leads out"),
    Hostile("two directories", lambda: packed(top(), member("other/x", b"x")), "one directory is expected"),
    Hostile("a file at the top", lambda: packed(member(ROOT, b"x")), "no directory"),
    Hostile("a path too long", lambda: packed(top(), member(f"{ROOT}/" + "a/" * 600 + "x", b"x")), "too long"),
    Hostile("a path too deep", lambda: packed(top(), member(f"{ROOT}/" + "a/" * 70 + "x", b"x")), "too long"),
    Hostile("a link out", lambda: _links(("l", "../../etc/passwd")), "nothing in it"),
    Hostile("an absolute link", lambda: _links(("l", "/etc/passwd")), "nothing in it"),
    Hostile("a link to a link", lambda: _links(("a", "sub"), ("b", "a")), "nothing in it"),
    Hostile("a link through a link", lambda: _links(("a", "sub"), ("b", "a/../../x")), "nothing in it"),
    Hostile("a link to itself", lambda: _links(("a", "a")), "nothing in it"),
    Hostile("a file below a link", lambda: packed(
        top(), member(f"{ROOT}/a", type=tarfile.SYMTYPE, linkname="sub"), member(f"{ROOT}/a/x", b"x")
    ), "lies in a link"),
    Hostile("a hard link out", lambda: _links(("h", "/etc/shadow"), kind=tarfile.LNKTYPE), "absolute path"),
    Hostile("a lost hard link", lambda: _links(("h", f"{ROOT}/gone"), kind=tarfile.LNKTYPE), "nothing in it"),
    Hostile("a character device", lambda: _special(tarfile.CHRTYPE), "no file"),
    Hostile("a block device", lambda: _special(tarfile.BLKTYPE), "no file"),
    Hostile("a pipe", lambda: _special(tarfile.FIFOTYPE), "no file"),
    Hostile("a sparse file", lambda: packed(top(), _pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})), ""),
    Hostile("set-uid", lambda: packed(top(), member(f"{ROOT}/x", b"x", mode=0o4755)), "somebody else's rights"),
    Hostile("set-gid", lambda: packed(top(), member(f"{ROOT}/x", b"x", mode=0o2755)), "somebody else's rights"),
    Hostile("twice", lambda: packed(top(), member(f"{ROOT}/x", b"1"), member(f"{ROOT}/x", b"2")), "twice"),
    Hostile("two cases", lambda: packed(
        top(), member(f"{ROOT}/config.yaml", b"1"), member(f"{ROOT}/Config.yaml", b"2")
    ), "one file on some systems"),
    Hostile("two spellings", lambda: packed(
        top(), member(f"{ROOT}/\u00e9", b"1"), member(f"{ROOT}/e\u0301", b"2")
    ), "one file on some systems"),
    Hostile("a file that is a directory", lambda: packed(
        top(), member(f"{ROOT}/a/x", b"1"), member(f"{ROOT}/a", b"2")
    ), "twice"),
    Hostile("a directory that is a file", lambda: packed(
        top(), member(f"{ROOT}/a", b"2"), member(f"{ROOT}/a/x", b"1")
    ), "lies in a file"),
    Hostile("a bomb", lambda: _bomb(32 << 20), "far more than its size"),
    Hostile("a bomb of hard links", lambda: packed(
        top(), member(f"{ROOT}/big", b"\0" * (1 << 20)),
        *(member(f"{ROOT}/{n}", type=tarfile.LNKTYPE, linkname=f"{ROOT}/big") for n in range(64)),
    ), "far more than its size"),
    Hostile("more files than anybody has", lambda: _many(200_010), "more than 200000 members"),
]  # fmt: skip
