"""Where and with what was measured."""

import datetime
import os
import pathlib
import platform

from comparison import processes


def describe(directory: pathlib.Path, postgres: str, versions: dict[str, str]) -> dict:
    """`directory` is where the databases are; `versions` of the tools by their titles."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "processor": _first_value("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory_bytes": int(_first_value("/proc/meminfo", "MemTotal").split()[0]) * 1024,
        "file_system": processes.output_of(
            ["findmnt", "--noheadings", "--output=FSTYPE", f"--target={directory}"]).strip(),
        "kernel": platform.release(),
        "system": _first_value("/etc/os-release", "PRETTY_NAME", "=").strip('"'),
        "postgres": postgres,
        "commit": _commit(),
        "tools": versions,
    }


def sentence(machine: dict, rounds: int) -> str:
    """One for people."""
    tools = ", ".join(f"{title} {version}" for title, version in machine["tools"].items())
    return (f"Measured on {machine['date']} at {machine['commit']}: {machine['processor']},"
            f" {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB,"
            f" {machine['file_system']}, {machine['system']}, Linux {machine['kernel']},"
            f" PostgreSQL {machine['postgres'].split()[0]}; {tools}; {rounds} round{'s' if rounds > 1 else ''}.")


def _first_value(path: str, key: str, separator: str = ":") -> str:
    for line in pathlib.Path(path).read_text().splitlines():
        name, _, value = line.partition(separator)
        if name.strip() == key:
            return value.strip()
    return "unknown"


def _commit() -> str:
    source = str(pathlib.Path(__file__).resolve().parent)
    try:
        return processes.output_of(["git", "-C", source, "describe", "--always", "--dirty"]).strip()
    except (processes.Failure, OSError):
        return "an unknown commit"
