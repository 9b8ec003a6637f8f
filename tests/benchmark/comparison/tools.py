"""What is measured. Each tool is used as its documentation says."""

import pathlib
import subprocess
import time

from comparison import processes
from comparison.cluster import PROGRAMS, Cluster
from comparison.processes import Command
from comparison.samples import Chain, Migration

START_SECONDS = 60


class Unavailable(Exception):
    """The tool is not on this machine; says what is missing."""


class Session:
    """A tool that is set up for one database. A command that the tool does not have is None."""

    # The server of a tool that has one.
    server_pid: int | None = None

    def upgrade(self) -> Command | None:
        """Everything up."""
        return None

    def downgrade(self) -> Command | None:
        """Everything down."""
        return None

    def current(self) -> Command | None:
        return None

    def nothing(self) -> Command | None:
        """Everything up, where everything is up."""
        return self.upgrade()

    def wait(self) -> Command | None:
        """Waits for the head."""
        return None

    def history(self) -> Command | None:
        return None

    def mark_applied(self) -> None:
        """Writes down that everything is applied, without running it."""
        raise NotImplementedError

    def close(self) -> None:
        pass


class Tool:
    """`name` is for command lines and raw numbers, `title` for people."""

    name: str
    title: str
    # The name of the tool that this is a way to use: it takes part only where many migrations run,
    # because elsewhere both ways are the same.
    variant_of = ""
    # How many migrations it can write down as applied before everybody has lost patience.
    most_marked = 1_000_000

    def version(self) -> str:
        """Unavailable if it cannot be run."""
        raise NotImplementedError

    def write(self, chain: Chain, directory: pathlib.Path) -> None:
        """Writes the files that a session needs into an empty directory."""
        raise NotImplementedError

    def open(self, cluster: Cluster, database: str, files: pathlib.Path, scratch: pathlib.Path,
             existing: bool = False) -> Session:
        """`scratch` is an empty directory of the session's own. `existing`: what the migrations make
        is there already."""
        raise NotImplementedError


def statements_text(statements: tuple[str, ...]) -> str:
    return "".join(statement + ";\n" for statement in statements)


# --- psql ---

VERSION_TABLE = ("CREATE TABLE IF NOT EXISTS alembic_version (\n    version_num varchar(32) NOT NULL,\n"
                 "    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)\n)")


class Psql(Tool):
    """The baseline: one psql reads one file with the statements, transactions and writes to the
    version table that migd has."""

    name = "psql"
    title = "psql"

    def version(self) -> str:
        return processes.output_of([str(PROGRAMS / "psql"), "--version"]).split()[2]

    def write(self, chain: Chain, directory: pathlib.Path) -> None:
        (directory / "up.sql").write_text(VERSION_TABLE + ";\n" + "".join(
            self._step(migration, migration.up, below, migration.revision)
            for below, migration in zip(["", *revisions(chain)], chain.migrations)))
        (directory / "down.sql").write_text("".join(
            self._step(migration, migration.down, migration.revision, below)
            for below, migration in reversed(list(zip(["", *revisions(chain)], chain.migrations)))))
        (directory / "stamp.sql").write_text(
            f"{VERSION_TABLE};\nINSERT INTO alembic_version VALUES ('{chain.head}');\n")

    @staticmethod
    def _step(migration: Migration, statements: tuple[str, ...], before: str, after: str) -> str:
        if not before:
            write = f"INSERT INTO alembic_version (version_num) VALUES ('{after}')"
        elif not after:
            write = f"DELETE FROM alembic_version WHERE version_num = '{before}'"
        else:
            write = (f"UPDATE alembic_version SET version_num = '{after}'"
                     f" WHERE version_num = '{before}'")
        if not migration.transactional:
            return statements_text(statements) + write + ";\n"
        return "BEGIN;\n" + statements_text(statements) + write + ";\nCOMMIT;\n"

    def open(self, cluster, database, files, scratch, existing=False):
        return PsqlSession(cluster, database, files)


class PsqlSession(Session):
    def __init__(self, cluster: Cluster, database: str, files: pathlib.Path):
        self._psql = cluster.psql(database)
        self._files = files

    def upgrade(self):
        return Command([*self._psql, f"--file={self._files / 'up.sql'}"])

    def downgrade(self):
        return Command([*self._psql, f"--file={self._files / 'down.sql'}"])

    def current(self):
        return Command([*self._psql, "--command=SELECT version_num FROM alembic_version"])

    # The least that can be asked to know that there is nothing to do.
    nothing = wait = history = current

    def mark_applied(self):
        processes.run(Command([*self._psql, f"--file={self._files / 'stamp.sql'}"]))


def revisions(chain: Chain) -> list[str]:
    return [migration.revision for migration in chain.migrations]


# --- migd ---

class Migd(Tool):
    """The programs of this project, with migd's defaults, on a unix socket."""

    name = "migd"
    title = "migd"

    def __init__(self, migd: pathlib.Path, migctl: pathlib.Path):
        self._migd = migd
        self._migctl = migctl

    def version(self) -> str:
        return processes.output_of([str(self._migd), "--version"]).split()[-1]

    def write(self, chain: Chain, directory: pathlib.Path) -> None:
        for below, migration in zip(["", *revisions(chain)], chain.migrations):
            options = "" if migration.transactional else " transaction:false"
            (directory / f"{migration.revision}_{migration.slug}.sql").write_text(
                f"-- {migration.message}\n--\n-- Revision ID: {migration.revision}\n"
                f"-- Revises:{below and ' ' + below}\n\n-- migrate:up{options}\n"
                f"{statements_text(migration.up)}\n-- migrate:down{options}\n"
                f"{statements_text(migration.down)}")

    def open(self, cluster, database, files, scratch, existing=False):
        return MigdSession(self._migd, self._migctl, cluster.url(database), files, scratch, existing)


class MigdSession(Session):
    """A migd of its own for the database, started and healthy when this object is there."""

    def __init__(self, migd: pathlib.Path, migctl: pathlib.Path, url: str, files: pathlib.Path,
                 scratch: pathlib.Path, existing: bool):
        self._migctl = migctl
        self._existing = existing
        self.address = f"unix:{scratch}/migd.sock"
        self._log = scratch / "migd.log"
        self._start_command = [str(migd), "--database", url, "--migrations", str(files),
                               "--listen", self.address]
        self.start()

    def start(self) -> None:
        command = Command(["setpriv", "--pdeathsig=KILL", "--", *self._start_command])
        with open(self._log, "ab") as log:
            self._server = subprocess.Popen(
                command.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=processes.environment_for(command), process_group=0)
        self.server_pid = self._server.pid
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                processes.run(self.call("health"))
                return
            except processes.Failure as failure:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    raise processes.Failure(
                        f"migd does not start: {failure}\n{self._log.read_text()}") from None
                time.sleep(0.01)

    def call(self, *arguments: str) -> Command:
        return Command([str(self._migctl), "--server", self.address, *arguments])

    def upgrade(self):
        # Nobody else compares what was there with what the files would have made.
        return self.call("upgrade", "head", *(["--no-verify"] if self._existing else []))

    def downgrade(self):
        return self.call("downgrade", "base", "--yes")

    def current(self):
        return self.call("current")

    def wait(self):
        return self.call("wait", "--for", "0")

    def history(self):
        return self.call("history")

    def mark_applied(self):
        processes.run(self.call("stamp", "heads", "--no-verify"))

    def close(self):
        self._server.terminate()
        self._server.wait()

    def restart(self) -> None:
        self.close()
        self.start()
