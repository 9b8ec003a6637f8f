"""What the workloads share: clusters, databases, files, and the tools that are there."""

import contextlib
import dataclasses
import pathlib
import sys
import tempfile

from comparison import processes
from comparison.cluster import Cluster
from comparison.measure import Series, timed
from comparison.samples import Chain
from comparison.tools import Migd, Psql, Session, Tool


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    small: int = 1000
    small_files: int = 1000
    many_files: int = 10_000
    statements: int = 5000
    large_bytes: int = 50_000_000
    # A short command is run so often in a round.
    repeats: int = 10
    clients: int = 200
    calls_per_client: int = 50
    kept_channel_calls: int = 2000
    events: int = 1_000_000
    # The server keeps 100,000 events of an operation.
    kept_events: int = 90_000
    watchers: int = 1000
    watched_migrations: int = 100
    # Of migrations, statements, revisions and watchers.
    growth: tuple[tuple[int, ...], ...] = (
        (250, 1000, 4000), (1250, 5000, 20_000), (1000, 10_000, 100_000), (10, 100, 1000))
    growth_rounds: int = 3
    # Whether PostgreSQL waits for the disk, as it does by default.
    durable: bool = True


# To see that everything works.
SMALLEST = Sizes(small=5, small_files=5, many_files=10, statements=20, large_bytes=100_000, repeats=1,
                 clients=3, calls_per_client=2, kept_channel_calls=5, events=100, kept_events=100,
                 watchers=5, watched_migrations=2, growth=((2, 3), (5, 10), (2, 3), (1, 2)),
                 growth_rounds=1, durable=False)


@dataclasses.dataclass
class Bench:
    """Lives as long as a run. Nothing that it makes is deleted before its end, because ext4 makes new
    files slowly while it is still busy with deleted ones."""

    directory: pathlib.Path
    psql: Psql
    migd: Migd
    peers: list[Tool]
    rounds: int
    sizes: Sizes
    load_client: pathlib.Path
    _clusters: dict[bool, Cluster] = dataclasses.field(default_factory=dict)
    _files: dict[tuple[str, str], pathlib.Path] = dataclasses.field(default_factory=dict)
    _applied: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)

    def close(self) -> None:
        for cluster in self._clusters.values():
            cluster.close()

    def cluster(self, durable: bool = True) -> Cluster:
        durable = durable and self.sizes.durable
        if durable not in self._clusters:
            name = "durable" if durable else "volatile"
            self._clusters[durable] = Cluster(self.directory / name, durable)
        return self._clusters[durable]

    def tools(self, many_migrations: bool = False) -> list[Tool]:
        """The baseline first."""
        peers = [peer for peer in self.peers
                 if many_migrations or not peer.variant_of]
        return [self.psql, self.migd, *peers]

    def versions(self) -> dict[str, str]:
        """Of the tools, by their titles."""
        return {tool.title: tool.version() for tool in self.tools()}

    def files(self, tool: Tool, chain: Chain) -> pathlib.Path:
        key = (tool.name, chain.name)
        if key not in self._files:
            directory = self.directory / f"{tool.name}-{chain.name}"
            directory.mkdir()
            tool.write(chain, directory)
            self._files[key] = directory
        return self._files[key]

    def scratch(self) -> pathlib.Path:
        """A new directory."""
        return pathlib.Path(tempfile.mkdtemp(prefix="s", dir=self.directory))

    def session(self, tool: Tool, chain: Chain, cluster: Cluster, database: str,
                existing: bool = False) -> contextlib.AbstractContextManager[Session]:
        return contextlib.closing(
            tool.open(cluster, database, self.files(tool, chain), self.scratch(), existing))

    def applied_database(self, tool: Tool, chain: Chain) -> str:
        """A database where everything counts as applied, one for each tool and chain."""
        key = (tool.name, chain.name)
        count = len(chain.migrations)
        if count > tool.most_marked:
            raise processes.Failure(f"to mark {count:,} migrations as applied takes it many minutes")
        if key not in self._applied:
            database = self.cluster().create_database()
            with self.session(tool, chain, self.cluster(), database) as session:
                session.mark_applied()
            self._applied[key] = database
        return self._applied[key]

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def take_turns(self, tools_in_turn: list[Tool], measure, rounds: int | None = None,
                   ) -> dict[str, Series]:
        """Calls measure(tool, round), which returns samples or None if the tool cannot do that. Every
        other round begins with the last tool. One that fails is not asked again; psql and migd must
        not fail."""
        series = {tool.name: Series() for tool in tools_in_turn}
        for number in range(rounds or self.rounds):
            for tool in tools_in_turn if number % 2 == 0 else reversed(tools_in_turn):
                if series[tool.name].problem:
                    continue
                try:
                    samples = measure(tool, number)
                except processes.Failure as failure:
                    if tool in (self.psql, self.migd):
                        raise
                    # Without the command, which is full of this machine's paths.
                    series[tool.name].problem = str(failure).rpartition(": exit code ")[2]
                    self.say(f"  {tool.title} is left out: {failure}")
                    continue
                if samples is None:
                    series[tool.name].problem = "has no such command"
                else:
                    series[tool.name].rounds.append(samples)
        return series


def once(cluster: Cluster, session: Session, command) -> list | None:
    """Measures one run of a session's command."""
    return None if command is None else [timed(cluster, command, session.server_pid)]
