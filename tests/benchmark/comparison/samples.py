"""The migrations that are measured with, as plain data; each tool writes its own files of them."""

import dataclasses
import hashlib
import pathlib
import re


@dataclasses.dataclass(frozen=True)
class Migration:
    """One revision of a chain. Statements have no semicolon at their end."""

    number: int  # from 1
    revision: str  # as Alembic makes ids: twelve hexadecimal digits
    message: str
    up: tuple[str, ...]
    down: tuple[str, ...]
    transactional: bool = True

    @property
    def slug(self) -> str:
        return self.message.replace(" ", "_")


@dataclasses.dataclass(frozen=True)
class Chain:
    """Migrations, each above the one before. The name tells chains apart."""

    name: str
    migrations: tuple[Migration, ...]

    @property
    def head(self) -> str:
        return self.migrations[-1].revision


def _revision(name: str, number: int) -> str:
    return hashlib.sha256(f"{name} {number}".encode()).hexdigest()[:12]


def small_migrations(count: int) -> Chain:
    """A table and an index each: what a module's migration looks like."""
    name = f"small-{count}"
    return Chain(name, tuple(
        Migration(
            number, _revision(name, number), f"create items {number}",
            up=(f"CREATE TABLE items_{number} (\n"
                "    id bigint PRIMARY KEY,\n"
                "    tenant_id bigint NOT NULL,\n"
                "    name text NOT NULL,\n"
                "    created_at timestamp with time zone NOT NULL DEFAULT now()\n)",
                f"CREATE INDEX items_{number}_tenant_id ON items_{number} (tenant_id)"),
            down=(f"DROP TABLE items_{number}",))
        for number in range(1, count + 1)))


def many_statements(count: int) -> Chain:
    """One migration of small statements: a catalogue of goods is filled, priced and described."""
    name = f"statements-{count}"
    statements = ["CREATE TABLE goods (\n    id bigint PRIMARY KEY,\n    name text NOT NULL,\n"
                  "    price numeric NOT NULL\n)"]
    for number in range(1, count):
        good = number // 5 * 5
        match number % 5:
            case 3:
                statements.append(f"UPDATE goods SET price = price + 1 WHERE id = {good + 1}")
            case 4:
                statements.append(f"COMMENT ON COLUMN goods.price IS 'in cents, list {number}'")
            case _:
                statements.append(f"INSERT INTO goods VALUES ({number}, 'good {number}', {number}.50)")
    return Chain(name, (Migration(1, _revision(name, 1), "goods", up=tuple(statements),
                                  down=("DROP TABLE goods",)),))


def large_migration(size: int) -> Chain:
    """One migration of `size` bytes: rows, a thousand a statement, as `pg_dump --inserts` writes."""
    name = f"large-{size}"
    statements = ["CREATE TABLE places (\n    id bigint PRIMARY KEY,\n    name text NOT NULL\n)"]
    written = number = 0
    while written < size:
        rows = []
        for _ in range(1000):
            number += 1
            rows.append(f"({number}, 'place {number} of {hashlib.md5(b'%d' % number).hexdigest()}')")
        statements.append("INSERT INTO places VALUES\n    " + ",\n    ".join(rows))
        written += len(statements[-1]) + 2
    return Chain(name, (Migration(1, _revision(name, 1), "places", up=tuple(statements),
                                  down=("DROP TABLE places",)),))


def eventful_migration(events: int) -> Chain:
    """One migration that tells about so much: as many notices as are passed on of each statement."""
    name = f"events-{events}"
    notices = 100
    statement = (f"DO $$ BEGIN FOR i IN 1..{notices} LOOP RAISE NOTICE 'row % was looked at', i;"
                 " END LOOP; END $$")
    # The end of the statement is told as well.
    return Chain(name, (Migration(1, _revision(name, 1), "look at rows",
                                  up=(statement,) * -(-events // (notices + 1)),
                                  down=("SELECT 1",)),))


def project_migrations(directory: pathlib.Path) -> Chain:
    """This project's own: nine tables, and indexes outside a transaction."""
    found = {}
    for path in directory.glob("*.sql"):
        text = path.read_text()
        revises = re.search(r"^-- Revises:\s*(\S*)$", text, re.MULTILINE).group(1)
        found[revises] = (path.stem, text)
    migrations, below = [], ""
    while below in found:
        stem, text = found[below]
        below, _, slug = stem.partition("_")
        _, up, down = re.split(r"^-- migrate:(?:up|down).*$", text, flags=re.MULTILINE)
        transactional = "transaction:false" not in text
        migrations.append(Migration(
            len(migrations) + 1, below, slug.replace("_", " "),
            _statements(up, transactional), _statements(down, transactional), transactional))
    return Chain("project", tuple(migrations))


def _statements(section: str, transactional: bool) -> tuple[str, ...]:
    """A section that runs in one piece stays in one piece; another one has plain statements only."""
    if transactional:
        return (section.strip().rstrip(";"),)
    return tuple(part.strip() for part in section.split(";\n") if part.strip())
