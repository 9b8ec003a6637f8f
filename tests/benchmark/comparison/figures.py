"""What is measured of migd alone: clients in numbers, events, memory, and how costs grow."""

import contextlib
import dataclasses
import json
import statistics
import subprocess
import typing

from comparison import processes, samples
from comparison.bench import Bench
from comparison.samples import Chain
from comparison.tools import MigdSession

MEGABYTE = 1e6
# The goals that are told in words.
MOST_P99_TO_P50 = 20
LEAST_EVENTS_PER_SECOND = 100_000


@dataclasses.dataclass(frozen=True)
class Figure:
    """Something measured: `text` for people, `values` for programs, in seconds and bytes."""

    title: str
    text: str
    values: dict[str, float]
    goal: str = ""
    met: bool | None = None


@dataclasses.dataclass(frozen=True)
class Growth:
    """What `title` costs at each of the sizes, in seconds. Linear or better: the cost of one does not
    grow. `psql` is what psql takes for the same, if it can do it."""

    title: str
    unit: str
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    psql: tuple[float, ...] = ()

    def of_one(self) -> list[float]:
        return [seconds / size for size, seconds in zip(self.sizes, self.seconds)]

    def quotient(self) -> float:
        """The cost of one at the largest size, with that at the smallest as 1."""
        return self._quotient(self.seconds)

    def quotient_of_psql(self) -> float | None:
        return self._quotient(self.psql) if self.psql else None

    def _quotient(self, seconds: tuple[float, ...]) -> float:
        return seconds[-1] / self.sizes[-1] / (seconds[0] / self.sizes[0])


@dataclasses.dataclass(frozen=True)
class Study:
    """A group of figures with a name for the command line."""

    name: str
    title: str
    run: typing.Callable[[Bench], list[Figure | Growth]]


def all_studies() -> list[Study]:
    """In the order in which they run."""
    return [Study("clients", "clients in numbers call Current", clients),
            Study("events", "events of a large operation", events),
            Study("memory", "memory of migd", memory),
            Study("growth", "cost as work grows", growth)]


@contextlib.contextmanager
def server(bench: Bench, chain: Chain, applied: bool = True, durable: bool = True,
           ) -> typing.Iterator[MigdSession]:
    """A migd of its own over an empty database, or one where the chain counts as applied, which is
    always durable."""
    cluster = bench.cluster(durable)
    database = (bench.applied_database(bench.migd, chain) if applied else
                cluster.create_database())
    with bench.session(bench.migd, chain, cluster, database) as session:
        yield session


def load(bench: Bench, *arguments: str) -> dict:
    """What the load client tells, in its last line. What it complains of is shown."""
    *complaints, told = processes.output_of([str(bench.load_client), *arguments]).splitlines()
    for complaint in complaints:
        bench.say(f"  load_client: {complaint}")
    return json.loads(told)


# --- Clients ---

def clients(bench: Bench) -> list[Figure]:
    """For migd they are one user at one address."""
    sizes = bench.sizes
    with server(bench, samples.small_migrations(sizes.small_files)) as migd:
        told = load(bench, "clients", migd.address, str(sizes.clients), str(sizes.calls_per_client))
    spread = told["p99"] / told["p50"]
    return [Figure(
        f"{sizes.clients} clients call Current at once, {sizes.calls_per_client} times each",
        f"{told['errors']} errors; p50 {told['p50'] * 1e3:.1f} ms, p99 {told['p99'] * 1e3:.1f} ms"
        f" ({spread:.1f}x); {told['calls'] / told['seconds']:,.0f} calls/s",
        told, f"no error, p99 within {MOST_P99_TO_P50}x of p50",
        told["errors"] == 0 and spread <= MOST_P99_TO_P50)]


# --- Events ---

def events(bench: Bench) -> list[Figure]:
    """As they happen; and again from the first one on, of an operation so small that the server keeps
    all of its events."""
    figures = []
    with server(bench, samples.eventful_migration(bench.sizes.events), applied=False) as migd:
        processes.run(migd.current())
        before = processes.memory(migd.server_pid)["now"]
        live = load(bench, "upgrade", migd.address)
        figures.append(_streamed("events streamed while they happen", live, before, migd))
    with server(bench, samples.eventful_migration(bench.sizes.kept_events), applied=False) as migd:
        operation = load(bench, "upgrade", migd.address)["operation"]
        migd.restart()
        processes.run(migd.current())
        before = processes.memory(migd.server_pid)["now"]
        replay = load(bench, "replay", migd.address, operation)
        figures.append(_streamed("events streamed again from the first", replay, before, migd))
    return figures


def _streamed(title: str, told: dict, before: int, migd: MigdSession) -> Figure:
    peak = processes.memory(migd.server_pid)["peak"]
    rate = told["events"] / told["seconds"]
    return Figure(
        f"{told['events']:,} {title}",
        f"{rate:,.0f} /s; migd had {before / MEGABYTE:.0f} MB before, at most"
        f" {peak / MEGABYTE:.0f} MB meanwhile",
        {"events": told["events"], "seconds": told["seconds"], "bytes_before": before,
         "bytes_peak": peak},
        f"≥ {LEAST_EVENTS_PER_SECOND:,} /s", rate >= LEAST_EVENTS_PER_SECOND)


# --- Memory ---

def memory(bench: Bench) -> list[Figure]:
    sizes = bench.sizes
    few = samples.small_migrations(sizes.small_files)
    figures = []
    with server(bench, few) as migd:
        figures.append(_memory("just started", migd))
        processes.run(migd.current())
        figures.append(_memory(f"with {sizes.small_files:,} revisions", migd))
        with watchers(bench, migd, sizes.watchers):
            figures.append(_memory(f"with {sizes.watchers:,} watchers", migd))
        figures += _memory_over_time(bench, migd)
    with server(bench, samples.small_migrations(sizes.many_files)) as migd:
        processes.run(migd.nothing())
        figures.append(_memory(f"with {sizes.many_files:,} revisions", migd))
    with server(bench, samples.large_migration(sizes.large_bytes), applied=False) as migd:
        processes.run(migd.upgrade())
        figures.append(_memory(
            f"a migration of {sizes.large_bytes / MEGABYTE:,.1f} MB: afterwards, and meanwhile", migd))
    return figures


def _memory(title: str, migd: MigdSession) -> Figure:
    told = processes.memory(migd.server_pid)
    return Figure(f"memory: {title}",
                  f"{told['now'] / MEGABYTE:.0f} MB, at most {told['peak'] / MEGABYTE:.0f} MB",
                  {"bytes_now": told["now"], "bytes_peak": told["peak"]})


def _memory_over_time(bench: Bench, migd: MigdSession) -> list[Figure]:
    """The same work again and again."""
    told = []
    for _ in range(4):
        for _ in range(bench.sizes.repeats * 10):
            processes.run(migd.nothing())
        told.append(processes.memory(migd.server_pid)["now"])
    calls = bench.sizes.repeats * 10
    return [Figure(
        f"memory: after {calls:,}, {2 * calls:,}, {3 * calls:,} and {4 * calls:,} operations",
        ", ".join(f"{bytes_now / MEGABYTE:.1f}" for bytes_now in told) + " MB",
        {f"bytes_after_{(index + 1) * calls}": bytes_now for index, bytes_now in enumerate(told)})]


@contextlib.contextmanager
def watchers(bench: Bench, migd: MigdSession, count: int) -> typing.Iterator[dict]:
    """So many watch the server's operations. What they have counted is there at the end."""
    process = subprocess.Popen([str(bench.load_client), "watch", migd.address, str(count)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    told: dict = {}
    try:
        if process.stdout.readline() != "ready\n":
            raise processes.Failure(f"{count} watchers do not come to watch")
        yield told
        told |= json.loads(process.communicate("")[0])
    finally:
        process.kill()
        process.wait()


# --- Growth ---

def growth(bench: Bench) -> list[Growth]:
    small, statements, revisions, watched = bench.sizes.growth
    return [
        _grows(bench, "up, a transaction each, fsync off", "migration", small, _upgrade,
               samples.small_migrations, _upgrade_by_psql),
        _grows(bench, "one migration, fsync off", "statement", statements, _upgrade,
               samples.many_statements, _upgrade_by_psql),
        _grows(bench, "the first call of a server just started", "revision", revisions, _first_call,
               samples.small_migrations),
        _grows(bench, "nothing to do, warm server", "revision", revisions, _nothing,
               samples.small_migrations),
        _grows(bench, "plan of all that is pending", "revision", revisions, _plan,
               samples.small_migrations),
        _grows(bench, "processor time of migd while an upgrade is watched", "watcher", watched,
               _watch, None)]


def _grows(bench: Bench, title: str, unit: str, sizes: tuple[int, ...], measure, chain_of,
           measure_psql=None) -> Growth:
    """measure(bench, chain or size) returns seconds."""
    bench.say(f"  {title}")
    taken: list[list[float]] = [[] for _ in sizes]
    by_psql: list[list[float]] = [[] for _ in sizes]
    for _ in range(min(bench.rounds, bench.sizes.growth_rounds)):
        for index, size in enumerate(sizes):
            of = chain_of(size) if chain_of else size
            taken[index].append(measure(bench, of))
            if measure_psql:
                by_psql[index].append(measure_psql(bench, of))
    return Growth(title, unit, sizes, tuple(map(statistics.median, taken)),
                  tuple(map(statistics.median, by_psql)) if measure_psql else ())


def _upgrade(bench: Bench, chain: Chain) -> float:
    with server(bench, chain, applied=False, durable=False) as migd:
        return processes.run(migd.upgrade()).wall


def _upgrade_by_psql(bench: Bench, chain: Chain) -> float:
    cluster = bench.cluster(durable=False)
    with bench.session(bench.psql, chain, cluster, cluster.create_database()) as psql:
        return processes.run(psql.upgrade()).wall


def _first_call(bench: Bench, chain: Chain) -> float:
    with server(bench, chain) as migd:
        return processes.run(migd.nothing()).wall


def _nothing(bench: Bench, chain: Chain) -> float:
    with server(bench, chain) as migd:
        processes.run(migd.nothing())
        return statistics.median(
            processes.run(migd.nothing()).wall for _ in range(bench.sizes.repeats))


def _plan(bench: Bench, chain: Chain) -> float:
    with server(bench, chain, applied=False) as migd:
        processes.run(migd.call("heads"))
        return processes.run(migd.call("--timeout", "10m", "plan", "upgrade", "head")).wall


def _watch(bench: Bench, count: int) -> float:
    """How much more than with nobody who watches is not asked: the operation's own part is small."""
    with server(bench, samples.small_migrations(bench.sizes.watched_migrations), False) as migd:
        processes.run(migd.current())
        with watchers(bench, migd, count):
            before = processes.cpu_seconds(migd.server_pid)
            processes.run(migd.upgrade())
            return processes.cpu_seconds(migd.server_pid) - before
