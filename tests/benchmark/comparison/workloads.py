"""What is measured beside psql, and how far behind or ahead of it migd may be."""

import contextlib
import dataclasses
import functools
import pathlib
import typing

from comparison import samples
from comparison.bench import Bench, once
from comparison.cluster import Cluster
from comparison.figures import load
from comparison.measure import Sample, Series, timed
from comparison.processes import Failure
from comparison.samples import Chain
from comparison.tools import Session, Tool

# A command that takes longer runs once in a round.
SLOW_SECONDS = 0.5

PROJECT = pathlib.Path(__file__).resolve().parents[3]


@dataclasses.dataclass(frozen=True)
class Workload:
    """A row of the table. `name` is for the command line; `run` returns what each tool took."""

    name: str
    title: typing.Callable[[Bench], str]
    # The highest ratio to psql that is good enough.
    goal: float | None
    run: typing.Callable[[Bench], dict[str, Series]]


# --- Many migrations ---

class SmallMigrations:
    """Up, and down again on the same databases. All ways up come before the first way down, because
    the tables that are dropped would slow down those that are made."""

    def __init__(self):
        self._ups: dict[bool, dict[str, Series]] = {}
        # Of a cluster, a tool and a round.
        self._databases: dict[tuple[bool, str, int], str] = {}

    def up(self, bench: Bench, durable: bool) -> dict[str, Series]:
        if durable not in self._ups:
            self._ups[durable] = self._measure_up(bench, durable)
        return self._ups[durable]

    def _measure_up(self, bench: Bench, durable: bool) -> dict[str, Series]:
        chain = samples.small_migrations(bench.sizes.small)
        cluster = bench.cluster(durable)

        def measure(tool: Tool, number: int):
            database = cluster.create_database()
            with bench.session(tool, chain, cluster, database) as session:
                taken = once(cluster, session, session.upgrade())
            _expect_tables(cluster, database, bench.sizes.small)
            self._databases[durable, tool.name, number] = database
            return taken

        return bench.take_turns(bench.tools(many_migrations=True), measure)

    def down(self, bench: Bench, durable: bool) -> dict[str, Series]:
        self.up(bench, durable)
        chain = samples.small_migrations(bench.sizes.small)
        cluster = bench.cluster(durable)

        def measure(tool: Tool, number: int):
            database = self._databases[durable, tool.name, number]
            with bench.session(tool, chain, cluster, database) as session:
                taken = once(cluster, session, session.downgrade())
            if taken is not None:
                _expect_tables(cluster, database, 0)
            return taken

        return bench.take_turns(
            [tool for tool in bench.tools(many_migrations=True)
             if (durable, tool.name, bench.rounds - 1) in self._databases], measure)


def _expect_tables(cluster: Cluster, database: str, expected: int) -> None:
    """A tool that does less than it says would be quick."""
    count = cluster.query(database, "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'items%'")
    if int(count) != expected:
        raise Failure(f"it leaves {count} tables instead of {expected}")


# --- One migration, on a database of its own ---

def apply(make_chain: typing.Callable[[Bench], Chain], bench: Bench) -> dict[str, Series]:
    """Everything up, on an empty database for each run."""
    chain = make_chain(bench)
    cluster = bench.cluster()

    def measure(tool: Tool, _: int):
        with bench.session(tool, chain, cluster, cluster.create_database()) as session:
            return once(cluster, session, session.upgrade())

    return bench.take_turns(bench.tools(), measure)


def apply_project(existing: bool, used: bool, bench: Bench) -> dict[str, Series]:
    """The project's own migrations. `existing`: the tables are there, made by psql; the version table
    is not. `used`: the tool has written to the database before, so what it keeps there is there."""
    chain = samples.project_migrations(PROJECT / "migrations")
    cluster = bench.cluster()

    def measure(tool: Tool, _: int):
        database = cluster.create_database()
        if existing:
            with bench.session(bench.psql, chain, cluster, database) as session:
                timed(cluster, session.upgrade())
            cluster.query(database, "DROP TABLE alembic_version")
        with bench.session(tool, chain, cluster, database, existing) as session:
            if used:
                session.mark_applied()
                cluster.query(database, "DELETE FROM alembic_version")
            return once(cluster, session, session.upgrade())

    return bench.take_turns([bench.psql, bench.migd] if used else bench.tools(), measure)


# --- A short command, on a database where everything is applied ---

def command(choose: typing.Callable[[Session], typing.Any], count: typing.Callable[[Bench], int],
            bench: Bench) -> dict[str, Series]:
    """The whole process of the client; migd runs already, and has been asked before."""
    chain = samples.small_migrations(count(bench))
    cluster = bench.cluster()
    sessions: dict[str, Session] = {}

    def open_session(tool: Tool) -> Session:
        database = bench.applied_database(tool, chain)
        session = stack.enter_context(bench.session(tool, chain, cluster, database))
        if choose(session) is not None:
            timed(cluster, choose(session), session.server_pid)
        return session

    slow: set[str] = set()

    def measure(tool: Tool, turn: int):
        if tool.name not in sessions:
            sessions[tool.name] = open_session(tool)
        session = sessions[tool.name]
        if choose(session) is None:
            return None
        if tool.name in slow and turn % bench.sizes.repeats != 0:
            return []
        sample = timed(cluster, choose(session), session.server_pid)
        if sample.wall > SLOW_SECONDS:
            slow.add(tool.name)
        return [sample]

    with contextlib.ExitStack() as stack:
        # A round is several turns: what is short is run often, and the rest once.
        turns = bench.take_turns(bench.tools(), measure, bench.rounds * bench.sizes.repeats)
    return {name: series.in_rounds_of(bench.sizes.repeats) for name, series in turns.items()}


def first_call(bench: Bench) -> dict[str, Series]:
    """As soon as a migd that was just started says that it is healthy."""
    chain = samples.small_migrations(bench.sizes.many_files)
    cluster = bench.cluster()
    database = bench.applied_database(bench.migd, chain)

    def measure(tool: Tool, _: int):
        with bench.session(tool, chain, cluster, database) as session:
            return once(cluster, session, session.nothing())

    return bench.take_turns([bench.psql, bench.migd], measure)


def kept_channel(bench: Bench) -> dict[str, Series]:
    """Current on a kept channel, and in turn with it SELECT on a kept connection, in one process. The
    medians stand for the round."""
    cluster = bench.cluster()
    chain = samples.small_migrations(bench.sizes.small_files)
    database = bench.applied_database(bench.migd, chain)
    series = {"psql": Series(), "migd": Series()}
    with bench.session(bench.migd, chain, cluster, database) as session:
        for _ in range(bench.rounds):
            told = load(bench, "select", session.address, cluster.url(database),
                        str(bench.sizes.kept_channel_calls))
            series["psql"].rounds.append([Sample(told["select"]["p50"])])
            series["migd"].rounds.append([Sample(told["current"]["p50"])])
    return series


def all_workloads() -> list[Workload]:
    """In the order in which they run."""
    small = SmallMigrations()

    def title(text: str) -> typing.Callable[[Bench], str]:
        return lambda bench: text.format(sizes=bench.sizes)

    def files(size: str) -> typing.Callable[[Bench], int]:
        return lambda bench: getattr(bench.sizes, size)

    bind = functools.partial
    return [
        Workload("nothing", title("nothing to do, {sizes.small_files:,} files"), 0.80,
                 bind(command, lambda session: session.nothing(), files("small_files"))),
        Workload("current", title("`current`"), 0.65,
                 bind(command, lambda session: session.current(), files("small_files"))),
        Workload("wait", title("`wait`"), 0.65,
                 bind(command, lambda session: session.wait(), files("small_files"))),
        Workload("nothing-many", title("nothing to do, {sizes.many_files:,} files"), 0.80,
                 bind(command, lambda session: session.nothing(), files("many_files"))),
        Workload("first-call", title("the same, first call to a server just started"), 7.0,
                 first_call),
        Workload("history", title("`history` of {sizes.many_files:,}"), 5.0,
                 bind(command, lambda session: session.history(), files("many_files"))),
        Workload("kept", title("Current on a kept channel, p50; SELECT on a kept connection"), 4.0,
                 kept_channel),
        Workload("nine-tables", title("nine tables on an empty database"), 1.2,
                 bind(apply_project, False, False)),
        Workload("nine-tables-used", title("the same, after an earlier operation"), None,
                 bind(apply_project, False, True)),
        Workload("nine-exist", title("nine tables where all exist"), 1.2,
                 bind(apply_project, True, False)),
        Workload("nine-exist-used", title("the same, after an earlier operation"), None,
                 bind(apply_project, True, True)),
        Workload("statements", title("one migration of {sizes.statements:,} statements"), 0.60,
                 bind(apply, lambda bench: samples.many_statements(bench.sizes.statements))),
        Workload("large", title("one migration of {sizes.large_bytes:,} bytes"), None,
                 bind(apply, lambda bench: samples.large_migration(bench.sizes.large_bytes))),
        Workload("up", title("{sizes.small:,} small migrations up, fsync on"), 0.95,
                 lambda bench: small.up(bench, True)),
        Workload("up-nosync", title("{sizes.small:,} small migrations up, fsync off"), 0.80,
                 lambda bench: small.up(bench, False)),
        Workload("down", title("{sizes.small:,} small migrations down, fsync on"), 0.90,
                 lambda bench: small.down(bench, True)),
        Workload("down-nosync", title("{sizes.small:,} small migrations down, fsync off"), 0.90,
                 lambda bench: small.down(bench, False)),
    ]
