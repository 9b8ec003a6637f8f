"""Programs: run, timed, and looked at from outside."""

import dataclasses
import os
import pathlib
import signal
import subprocess
import tempfile
import time

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
# In an error, of what a program has printed.
LAST_CHARACTERS = 2000


class Failure(Exception):
    """Something that was to be measured does not work; says what."""


@dataclasses.dataclass(frozen=True)
class Command:
    """A program with its arguments; `environment` is added to ours."""

    arguments: list[str]
    directory: pathlib.Path | None = None
    environment: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Times:
    """How long a program took, and its own processor time with that of its children, in seconds."""

    wall: float
    cpu: float
    output: str


def environment_for(command: Command) -> dict[str, str]:
    """Ours, without what psql, migd and migctl would read."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("PG", "MIGD", "MIGCTL"))}
    return kept | command.environment


def run(command: Command) -> Times:
    """Runs it to its end. Failure, with what it has printed, if its exit code is not 0. It is killed
    with its children if we are interrupted."""
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command.arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            cwd=command.directory, env=environment_for(command), process_group=0)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode != 0:
        raise Failure(f"{' '.join(command.arguments)[:LAST_CHARACTERS]}: exit code "
                      f"{process.returncode}:\n{text[-LAST_CHARACTERS:]}")
    return Times(wall, usage.ru_utime + usage.ru_stime, text)


def output_of(arguments: list[str]) -> str:
    return run(Command(arguments)).output


def cpu_seconds(pid: int) -> float:
    """What a running process has used; 0 for one that is gone."""
    try:
        # What clock_getcpuclockid returns: nanoseconds, where /proc has hundredths.
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def cpu_seconds_of_waited_children(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[13]) + int(fields[14])) / CLOCK_TICKS


def tree_of(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    try:
        for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                found += tree_of(int(child))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def memory(pid: int) -> dict[str, int]:
    """What a process has in memory now, and had at most, in bytes."""
    status = dict(line.split(":", 1)
                  for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: int(status[key].split()[0]) * 1024
            for name, key in (("now", "VmRSS"), ("peak", "VmHWM"))}
