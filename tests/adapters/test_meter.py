"""What real process trees use, as /proc tells it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from hermesd.adapters import procfs
from hermesd.adapters.meter import KernelMeter
from hermesd.domain.process import ProcessIdentity
from hermesd.domain.samples import Reading
from tests.waiting import wait_until

pytestmark = [pytest.mark.fast, pytest.mark.adapters]

IDLE = "import time; print('up', flush=True); time.sleep(60)"
BUSY = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass\n"
LAUNCHING = "import sys; from subprocess import Popen, run"
MIB = 1024 * 1024
ROUNDED_S = 0.02
"""What the kernel rounds away when times of a child become times of its parent: a tick of each kind."""


def child(program: str) -> str:
    """The arguments for `Popen`, as source, of a process that runs a program."""
    return f"[sys.executable, '-c', {program!r}]"


@contextmanager
def running(*programs: str) -> Iterator[list[ProcessIdentity]]:
    """Processes that lead sessions of their own, each as soon as it said something; whole sessions are ended."""
    with ExitStack() as ended:
        found = []
        for program in programs:
            process = subprocess.Popen(
                [sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True, text=True
            )
            ended.callback(_end, process)
            assert process.stdout is not None
            process.stdout.readline()
            identity = procfs.identity(process.pid, "s")
            assert identity is not None
            found.append(identity)
        yield found


def _end(process: "subprocess.Popen[str]") -> None:
    for pid in list(procfs.pids()):
        seen = procfs.stat(pid)
        if seen is not None and seen.session == process.pid and pid != process.pid:
            os.kill(pid, signal.SIGKILL)
    process.kill()
    process.communicate()


@pytest.fixture(params=["counted", "listed"])
def meter(request: pytest.FixtureRequest) -> KernelMeter:
    """One on a kernel that counts descriptors (Linux 6.2), and one where they must be listed."""
    made = KernelMeter()
    if request.param == "listed":
        made._has_counts = False
    return made


def measure(meter: KernelMeter, process: ProcessIdentity) -> Reading:
    """What one tree uses."""
    return meter.measure([process])[process]


def test_a_process_uses_what_psutil_says(meter: KernelMeter) -> None:
    """Another reader of the same kernel, to whom nothing of ours is known."""
    keeper = (
        "import threading, time\nfiles = [open('/dev/null') for _ in range(20)]\nblock = bytearray(50 << 20)\n"
    )
    keeper += "for _ in range(3): threading.Thread(target=time.sleep, args=(60,)).start()\n"
    with running(keeper + BUSY + IDLE) as [process]:
        reading, judge = measure(meter, process), psutil.Process(process.pid)
        assert reading.descriptors == judge.num_fds() >= 20
        assert reading.threads == judge.num_threads() == 4
        assert reading.processes == 1
        assert reading.rss_bytes == pytest.approx(judge.memory_info().rss, abs=4 * MIB)
        assert reading.rss_bytes > 50 * MIB
        times = judge.cpu_times()
        assert 0.15 < reading.cpu_s == pytest.approx(times.user + times.system, abs=0.05)
        assert reading.age_s == pytest.approx(time.time() - judge.create_time(), abs=2.0)


def test_a_tree_is_measured_whole(meter: KernelMeter) -> None:
    """Children, theirs, and who was left by its parent but stayed in the session."""
    grandparent = child(f"{LAUNCHING}; run({child(IDLE)})")
    leaver = child(f"{LAUNCHING}; Popen({child(IDLE)})")
    with running(f"{LAUNCHING}\nPopen({grandparent})\nrun({leaver})\n{IDLE}") as [process]:
        wait_until(lambda: measure(meter, process).processes == 4, "all of them")


def test_each_tree_ends_where_another_begins(meter: KernelMeter) -> None:
    """This very process may be below one gateway and above the others."""
    with running(IDLE, IDLE) as [one, other]:
        me = procfs.identity(os.getpid(), "s")
        assert me is not None
        found = meter.measure([one, other, me])
        assert [found[one].processes, found[other].processes] == [1, 1]
        alone = found[me].processes
        assert meter.measure([me])[me].processes == alone + 2


def test_short_lived_children_count(meter: KernelMeter) -> None:
    """What they used is in the sum again once they were waited for."""
    with running(f"{LAUNCHING}\nprint('up', flush=True)\nrun({child(BUSY)})\n{IDLE}") as [process]:
        seen: list[float] = []

        def has_ended() -> bool:
            reading = measure(meter, process)
            seen.append(reading.cpu_s)
            return reading.processes == 1 and reading.cpu_s >= 0.2

        wait_until(has_ended, "the end of the child")
        assert max(seen) - seen[-1] <= ROUNDED_S  # a pass is no one moment: in between it may see less


def test_who_is_not_there_is_left_out(meter: KernelMeter) -> None:
    """Ended, a zombie, another process of that pid, or one of another boot."""
    with running(IDLE) as [process]:
        strangers = [
            replace(process, start_ticks=process.start_ticks + 1),
            replace(process, boot_id="another"),
            replace(process, pid=2**22 + 1),
        ]
        assert list(meter.measure([*strangers, process])) == [process]
        os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: not procfs.is_alive(process), "its end")
        assert meter.measure([process]) == {}
    assert meter.measure([]) == {}


def test_what_ends_while_it_is_looked_at_is_no_failure(
    meter: KernelMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is listed may be gone before its files are opened, or refuse to show them."""
    with running(IDLE) as [process]:
        pids, opened = procfs.pids, os.open

        def refused(path: str, flags: int, **more: int) -> int:
            if path == "/proc/1/stat":
                raise PermissionError(1, "refused", path)
            return opened(path, flags, **more)

        monkeypatch.setattr(procfs, "pids", lambda: [2**22 + 1, *pids()])
        monkeypatch.setattr(os, "open", refused)
        assert measure(meter, process).processes == 1


def test_names_of_programs_are_not_believed(meter: KernelMeter, tmp_path: Path) -> None:
    """They stand before the numbers, and may look like them."""
    odd = tmp_path / ") Z 1 1 (x"
    odd.symlink_to(sys.executable)
    rename = "open('/proc/self/comm', 'w').write(') Z 1 1 (')\n"
    with running(rename + IDLE) as [process]:
        assert measure(meter, process).processes == 1


def test_hundreds_take_milliseconds() -> None:
    """Far below what would show: one pass, however many trees. Generous, for the machine is shared."""
    with running(*[IDLE] * 3) as processes:
        many = [replace(process, spawn_id=str(number)) for number in range(70) for process in processes]
        meter = KernelMeter()
        took_s = min(_time(lambda: meter.measure(many)) for _ in range(5))
        assert took_s < 0.1


def _time(call: Callable[[], object]) -> float:
    began_s = time.process_time()
    call()
    return time.process_time() - began_s
