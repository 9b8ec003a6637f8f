"""The tools that people use today, each as its documentation says, in its quickest documented way."""

import json
import pathlib
import shutil
import textwrap

from comparison import processes
from comparison.cluster import PROGRAMS, SUPERUSER, Cluster
from comparison.processes import Command
from comparison.samples import Chain, Migration
from comparison.tools import Session, Tool, Unavailable, revisions, statements_text

NPM = pathlib.Path(__file__).resolve().parents[1] / "node_modules"


def all_peers() -> list[Tool]:
    """In the order of the table's columns."""
    return [Alembic(), AlembicStepwise(), Dbmate(), NodePgMigrate(), NodePgMigrateStepwise(), Sqitch(),
            Liquibase()]


def find_program(name: str, hint: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise Unavailable(f"there is no {name}: {hint}")
    return path


def number_of(migration: Migration) -> str:
    """Sorts as the chain goes, and looks like the time stamps that these tools begin names with."""
    return f"{20250101000000 + migration.number}"


# --- Alembic ---

class Alembic(Tool):
    """With the environment that `alembic init` makes: all revisions in one transaction."""

    name = "alembic"
    title = "Alembic"
    transaction_per_migration = False

    def version(self):
        find_program("alembic", "install Debian's alembic and python3-psycopg2")
        return processes.output_of(["alembic", "--version"]).split()[1]

    def write(self, chain, directory):
        processes.run(Command(["alembic", "init", "migrations"], directory))
        versions = directory / "migrations/versions"
        for below, migration in zip(["", *revisions(chain)], chain.migrations):
            (versions / f"{migration.revision}_{migration.slug}.py").write_text(
                self._script(below, migration))
        stepwise = self.transaction_per_migration or not all(
            migration.transactional for migration in chain.migrations)
        if stepwise:
            environment = directory / "migrations/env.py"
            environment.write_text(environment.read_text().replace(
                "connection=connection,", "connection=connection, transaction_per_migration=True,"))

    @classmethod
    def _script(cls, below: str, migration: Migration) -> str:
        return (f'"""{migration.message}\n\nRevision ID: {migration.revision}\nRevises: {below}\n"""\n'
                "from alembic import op\n\n"
                f"revision = {migration.revision!r}\ndown_revision = {below or None!r}\n"
                "branch_labels = None\ndepends_on = None\n\n\n"
                f"def upgrade():\n{cls._body(migration, migration.up)}\n\n"
                f"def downgrade():\n{cls._body(migration, migration.down)}")

    @staticmethod
    def _body(migration: Migration, statements: tuple[str, ...]) -> str:
        # A colon would begin the name of a parameter.
        calls = "".join(f"op.execute({statement.replace(':', chr(92) + ':')!r})\n"
                        for statement in statements)
        if not migration.transactional:
            calls = ("with op.get_context().autocommit_block():\n" + textwrap.indent(calls, "    "))
        return textwrap.indent(calls, "    ")

    def open(self, cluster, database, files, scratch, existing=False):
        return AlembicSession(cluster, database, files, scratch)


class AlembicStepwise(Alembic):
    """A transaction for each revision."""

    name = "alembic-stepwise"
    title = "Alembic, a transaction each"
    transaction_per_migration = True
    variant_of = "alembic"


class AlembicSession(Session):
    def __init__(self, cluster: Cluster, database: str, files: pathlib.Path, scratch: pathlib.Path):
        ini = (files / "alembic.ini").read_text()
        ini = ini.replace("driver://user:pass@localhost/dbname", cluster.url(database))
        ini = ini.replace("script_location = migrations", f"script_location = {files}/migrations")
        (scratch / "alembic.ini").write_text(ini)
        self._directory = scratch

    def _call(self, *arguments: str) -> Command:
        return Command(["alembic", *arguments], self._directory)

    def upgrade(self):
        return self._call("upgrade", "head")

    def downgrade(self):
        return self._call("downgrade", "base")

    def current(self):
        return self._call("current")

    def history(self):
        return self._call("history")

    def mark_applied(self):
        processes.run(self._call("stamp", "head"))


# --- dbmate ---

class Dbmate(Tool):
    """Its binary, without the script in Node around it, and without the dump of the schema."""

    name = "dbmate"
    title = "dbmate"

    def version(self):
        return processes.output_of([str(self.program()), "--version"]).split()[-1]

    @staticmethod
    def program() -> pathlib.Path:
        for path in NPM.glob("@dbmate/linux-*/bin/dbmate"):
            return path
        raise Unavailable("npm did not bring dbmate: npm ci in tests/benchmark")

    def write(self, chain, directory):
        for migration in one_message_each(chain):
            options = "" if migration.transactional else " transaction:false"
            (directory / f"{number_of(migration)}_{migration.slug}.sql").write_text(
                f"-- migrate:up{options}\n{statements_text(migration.up)}\n"
                f"-- migrate:down{options}\n{statements_text(migration.down)}")

    def open(self, cluster, database, files, scratch, existing=False):
        return DbmateSession(self.program(), cluster, database, files, scratch)


class DbmateSession(Session):
    def __init__(self, program: pathlib.Path, cluster: Cluster, database: str, files: pathlib.Path,
                 scratch: pathlib.Path):
        self._psql = cluster.psql(database)
        self._files = files
        self._scratch = scratch
        url = (f"postgres://{SUPERUSER}@:{cluster.port}/{database}?socket={cluster.socket_directory}"
               "&sslmode=disable")
        self._command = [str(program), "--url", url, "--migrations-dir", str(files),
                         "--no-dump-schema"]

    def upgrade(self):
        return Command([*self._command, "migrate"])

    def current(self):
        return Command([*self._command, "status"])

    history = current

    def mark_applied(self):
        # It has no command for that.
        versions = ", ".join(f"('{path.name.split('_')[0]}')" for path in self._files.glob("*.sql"))
        script = self._scratch / "applied.sql"
        script.write_text("CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY);\n"
                          f"INSERT INTO schema_migrations VALUES {versions};\n")
        processes.output_of([*self._psql, f"--file={script}"])


def one_message_each(chain: Chain) -> list[Migration]:
    """For tools that send a file as one message, which PostgreSQL runs as one transaction: what must
    not run in one is a migration for each statement."""
    split = []
    for migration in chain.migrations:
        downs = migration.down if not migration.transactional else ()
        for index, statement in enumerate(() if migration.transactional else migration.up):
            down = downs[len(downs) - 1 - index:len(downs) - index]
            split.append(Migration(len(split) + 1, f"{migration.revision}{index}",
                                   f"{migration.message} {index + 1}", (statement,), down, False))
        if migration.transactional:
            split.append(Migration(len(split) + 1, migration.revision, migration.message,
                                   migration.up, migration.down))
    return split


# --- node-pg-migrate ---

class NodePgMigrate(Tool):
    """With its defaults: all migrations in one transaction."""

    name = "node-pg-migrate"
    title = "node-pg-migrate"
    single_transaction = True

    def version(self):
        find_program("node", "install Debian's nodejs")
        processes.output_of([str(self.program()), "--version"])
        # That prints the version of whatever package is around it.
        return json.loads((NPM / "node-pg-migrate/package.json").read_text())["version"]

    @staticmethod
    def program() -> pathlib.Path:
        path = NPM / ".bin/node-pg-migrate"
        if not path.exists():
            raise Unavailable("npm did not bring node-pg-migrate: npm ci in tests/benchmark")
        return path

    def write(self, chain, directory):
        for migration in chain.migrations:
            path = directory / f"{number_of(migration)}_{migration.slug}"
            if migration.transactional:
                path.with_suffix(".sql").write_text(
                    f"-- Up Migration\n{statements_text(migration.up)}\n"
                    f"-- Down Migration\n{statements_text(migration.down)}")
            else:
                # Files of SQL always run in a transaction.
                path.with_suffix(".cjs").write_text("".join(
                    f"exports.{name} = (pgm) => {{\n  pgm.noTransaction();\n" +
                    "".join(f"  pgm.sql({_javascript(statement)});\n" for statement in statements) +
                    "};\n" for name, statements in (("up", migration.up), ("down", migration.down))))

    def open(self, cluster, database, files, scratch, existing=False):
        return NodePgMigrateSession(self.program(), self.single_transaction, cluster, database, files,
                                    scratch)


def _javascript(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("`", "\\`").replace("${", "\\${")
    return f"`{escaped}`"


class NodePgMigrateStepwise(NodePgMigrate):
    """A transaction for each migration."""

    name = "node-pg-migrate-stepwise"
    title = "node-pg-migrate, a transaction each"
    single_transaction = False
    variant_of = "node-pg-migrate"


class NodePgMigrateSession(Session):
    def __init__(self, program: pathlib.Path, single_transaction: bool, cluster: Cluster,
                 database: str, files: pathlib.Path, scratch: pathlib.Path):
        self._count = len(list(files.iterdir()))
        self._program = program
        self._options = ["--migrations-dir", str(files)]
        if not single_transaction or list(files.glob("*.cjs")):
            self._options.append("--no-single-transaction")
        self._directory = scratch
        self._environment = {"PGHOST": str(cluster.socket_directory), "PGPORT": str(cluster.port),
                             "PGUSER": SUPERUSER, "PGDATABASE": database}

    def _call(self, *arguments: str) -> Command:
        return Command([str(self._program), *arguments, *self._options], self._directory,
                       self._environment)

    def upgrade(self):
        return self._call("up")

    def downgrade(self):
        return self._call("down", str(self._count))

    def mark_applied(self):
        processes.run(self._call("up", "--fake"))


# --- sqitch ---

class Sqitch(Tool):
    """With the server package's own psql, which it runs for each change."""

    name = "sqitch"
    title = "sqitch"
    most_marked = 1000

    def version(self):
        find_program("sqitch", "install Debian's sqitch and libdbd-pg-perl")
        return processes.output_of(["sqitch", "--version"]).split()[-1].lstrip("v")

    def write(self, chain, directory):
        (directory / "sqitch.conf").write_text(
            f"[core]\n\tengine = pg\n[engine \"pg\"]\n\tclient = {PROGRAMS / 'psql'}\n"
            "[user]\n\tname = Benchmark\n\temail = benchmark@example.org\n")
        names = [f"{number_of(migration)}_{migration.slug}" for migration in chain.migrations]
        plan = ["%syntax-version=1.0.0", "%project=benchmark", ""]
        for below, name, migration in zip(["", *names], names, chain.migrations):
            requires = f" [{below}]" if below else ""
            plan.append(f"{name}{requires} 2025-01-01T00:00:00Z Benchmark <benchmark@example.org>"
                        f" # {migration.message}")
            for folder, statements in (("deploy", migration.up), ("revert", migration.down)):
                text = statements_text(statements)
                if migration.transactional:
                    text = f"BEGIN;\n{text}COMMIT;\n"
                (directory / folder).mkdir(exist_ok=True)
                (directory / folder / f"{name}.sql").write_text(text)
        (directory / "sqitch.plan").write_text("\n".join(plan) + "\n")

    def open(self, cluster, database, files, scratch, existing=False):
        return SqitchSession(cluster, database, files)


class SqitchSession(Session):
    def __init__(self, cluster: Cluster, database: str, files: pathlib.Path):
        self._target = f"db:pg:{database}"
        self._directory = files
        self._environment = {"PGHOST": str(cluster.socket_directory), "PGPORT": str(cluster.port),
                             "PGUSER": SUPERUSER}

    def _call(self, *arguments: str) -> Command:
        return Command(["sqitch", *arguments, self._target], self._directory, self._environment)

    def upgrade(self):
        return self._call("deploy")

    def downgrade(self):
        return self._call("revert", "-y")

    def current(self):
        return self._call("status")

    def history(self):
        return self._call("log")

    def mark_applied(self):
        processes.run(self._call("deploy", "--log-only"))


# --- Liquibase ---

class Liquibase(Tool):
    """With a changelog of formatted SQL, over TCP, since JDBC knows no unix sockets."""

    name = "liquibase"
    title = "Liquibase"
    most_marked = 1000

    def version(self):
        find_program("java", "it is measured where Java is installed already")
        output = processes.output_of([str(self.program()), "--version"])
        return next(line.split()[-1] for line in output.splitlines()
                    if line.startswith("Liquibase Version"))

    @staticmethod
    def program() -> pathlib.Path:
        path = NPM / "liquibase/dist/liquibase/liquibase"
        if not path.exists():
            raise Unavailable("npm did not bring Liquibase: npm ci in tests/benchmark")
        path.chmod(0o755)  # as npm does not
        return path

    def write(self, chain, directory):
        (directory / "changelog.xml").write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<databaseChangeLog xmlns="http://www.liquibase.org/xml/ns/dbchangelog"\n'
            '    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"\n'
            '    xsi:schemaLocation="http://www.liquibase.org/xml/ns/dbchangelog\n'
            '        http://www.liquibase.org/xml/ns/dbchangelog/dbchangelog-latest.xsd">\n'
            '  <includeAll path="changes" relativeToChangelogFile="true"/>\n'
            '</databaseChangeLog>\n')
        (directory / "changes").mkdir()
        for migration in one_message_each(chain):
            # It would cut blocks in dollar quotes to pieces.
            split = "" if len(migration.up) > 1 else " splitStatements:false"
            options = split + ("" if migration.transactional else " runInTransaction:false")
            (directory / f"changes/{number_of(migration)}_{migration.slug}.sql").write_text(
                f"--liquibase formatted sql\n\n--changeset benchmark:{migration.number}{options}\n"
                f"{statements_text(migration.up)}\n" +
                "".join(f"--rollback {statement};\n" for statement in migration.down
                        if "\n" not in statement))

    def open(self, cluster, database, files, scratch, existing=False):
        return LiquibaseSession(self.program(), cluster, database, files)


class LiquibaseSession(Session):
    def __init__(self, program: pathlib.Path, cluster: Cluster, database: str, files: pathlib.Path):
        self._count = len(list((files / "changes").iterdir()))
        url = f"jdbc:postgresql://127.0.0.1:{cluster.port}/{database}"
        self._options = [f"--url={url}", f"--username={SUPERUSER}", f"--password={cluster.password}",
                         "--changelog-file=changelog.xml"]
        self._program = program
        self._directory = files

    def _call(self, command: str, *arguments: str) -> Command:
        return Command([str(self._program), command, *self._options, *arguments], self._directory)

    def upgrade(self):
        return self._call("update")

    def downgrade(self):
        return self._call("rollback-count", f"--count={self._count}")

    def current(self):
        return self._call("status")

    def history(self):
        return self._call("history")

    def mark_applied(self):
        processes.run(self._call("changelog-sync"))
