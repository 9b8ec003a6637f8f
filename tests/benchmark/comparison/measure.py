"""Rounds of measurements in which the tools take turns, and what they come to."""

import dataclasses
import statistics

from comparison import processes
from comparison.cluster import Cluster
from comparison.processes import Command


@dataclasses.dataclass(frozen=True)
class Sample:
    """One run, in seconds: by the clock, and of processor time in the client, the tool's server and
    PostgreSQL."""

    wall: float
    # None where it was not asked for.
    client: float | None = None
    server: float | None = None
    postgres: float | None = None

    @property
    def cpu(self) -> float | None:
        return None if self.client is None else self.client + self.server + self.postgres


def timed(cluster: Cluster, command: Command, server_pid: int | None = None) -> Sample:
    postgres = cluster.cpu_seconds()
    server = processes.cpu_seconds(server_pid) if server_pid else 0.0
    times = processes.run(command)
    server_after = processes.cpu_seconds(server_pid) if server_pid else 0.0
    return Sample(times.wall, times.cpu, server_after - server,
                  max(0.0, cluster.cpu_seconds() - postgres))


@dataclasses.dataclass
class Series:
    """What one tool took in one workload: a list of samples for each round."""

    rounds: list[list[Sample]] = dataclasses.field(default_factory=list)
    # Why there is none, or no more.
    problem: str = ""

    def in_rounds_of(self, turns: int) -> "Series":
        """The same, with so many of the rounds made one."""
        return Series([sum(self.rounds[begin:begin + turns], [])
                       for begin in range(0, len(self.rounds), turns)], self.problem)

    def wall(self) -> float | None:
        return _median([sample.wall for samples in self.rounds for sample in samples])

    def cpu(self) -> float | None:
        """The mean: PostgreSQL's is known in hundredths of a second only."""
        samples = [sample.cpu for samples in self.rounds for sample in samples
                   if sample.cpu is not None]
        return statistics.fmean(samples) if samples else None

    def ratio_to(self, baseline: "Series") -> float | None:
        """The median over the rounds of the ratio within a round."""
        return _median([
            statistics.median(sample.wall for sample in ours) /
            statistics.median(sample.wall for sample in theirs)
            for ours, theirs in zip(self.rounds, baseline.rounds)])


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None
