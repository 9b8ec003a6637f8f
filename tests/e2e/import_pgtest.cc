// Another tool's migrations become ours, and run. The other tools are not here but for Alembic
// (Debian's packages alembic and python3-psycopg2); what they would have done to a database is done
// by hand.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr char kAlembic[] = "/usr/bin/alembic";

class ImportTest : public ServiceTest {
 protected:
  std::string theirs() const { return directory().path() + "/theirs"; }
  void Write(const std::string& name, const std::string& contents) const {
    directory().Write("theirs/" + name, contents);
  }

  Arguments ImportArguments(const std::string& peer, const Arguments& more = {}) const {
    Arguments arguments = {"import", peer, theirs(), "--migrations", migrations()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(migrations())) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
};

// --- The four whose migrations are SQL ---

struct PeerCase {
  const char* peer;
  std::map<std::string, std::string> files;
  std::vector<std::string> revisions;
};

class ImportOf : public ImportTest, public testing::WithParamInterface<PeerCase> {
 protected:
  void SetUp() override {
    for (const auto& [name, contents] : GetParam().files) Write(name, contents);
  }
};

// Each makes table a, gives it an index without a transaction, and makes table b with a function.
TEST_P(ImportOf, RunsUpAndDown) {
  EXPECT_EQ(Migctl(ImportArguments(GetParam().peer)).exit_code, 0);
  const std::string before = Dump();
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), GetParam().revisions.back());
  EXPECT_EQ(Query("SELECT to_regclass('a_id')"), "a_id");
  EXPECT_EQ(Query("SELECT f() FROM b"), "2");
  EXPECT_EQ(Migctl({"downgrade", "base", "--yes"}).exit_code, 0);
  Query("DROP TABLE alembic_version");
  EXPECT_EQ(Dump(), before);
}

TEST_P(ImportOf, AdoptsADatabaseThatThePeerHasMigrated) {
  const Json report = Object(ImportArguments(GetParam().peer));
  EXPECT_EQ(report["head"].text(), GetParam().revisions.back());
  EXPECT_EQ(report["stamp"].text(), "migctl stamp " + GetParam().revisions.back());
  EXPECT_EQ(report["revisions"].texts("revision"), GetParam().revisions);

  Query("CREATE TABLE a (id int); CREATE TABLE b (); CREATE INDEX a_id ON a (id)");
  const std::string before = Dump();
  EXPECT_EQ(Migctl({"stamp", report["head"].text()}).exit_code, 0);
  EXPECT_THAT(Migctl({"upgrade", "head"}).out, HasSubstr("nothing to do"));
  Query("DROP TABLE alembic_version");
  EXPECT_EQ(Dump(), before);
}

INSTANTIATE_TEST_SUITE_P(
    Peers, ImportOf,
    testing::Values(
        PeerCase{"flyway",
                 {{"V1__Create_a.sql", "CREATE TABLE a (id int);"},
                  {"U1__Create_a.sql", "DROP TABLE a;"},
                  {"later/V1.1__index.sql", "CREATE INDEX CONCURRENTLY a_id ON a (id);"},
                  {"later/U1.1__index.sql", "DROP INDEX a_id;"},
                  {"V1_2__b.sql",
                   "BEGIN;\nCREATE TABLE b ();\nCREATE FUNCTION f() RETURNS int BEGIN ATOMIC "
                   "SELECT 2; END;\nINSERT INTO b DEFAULT VALUES;\nCOMMIT;"},
                  {"U1_2__b.sql", "DROP TABLE b;\nDROP FUNCTION f;"}},
                 {"1", "1.1", "1.2"}},
        PeerCase{"golang-migrate",
                 {{"000001_create_a.up.sql", "CREATE TABLE a (id int)"},
                  {"000001_create_a.down.sql", "DROP TABLE a"},
                  {"000002_index.up.sql", "CREATE INDEX CONCURRENTLY a_id ON a (id)"},
                  {"000002_index.down.sql", "DROP INDEX CONCURRENTLY a_id"},
                  {"000010_b.up.sql",
                   "BEGIN;\nCREATE TABLE b ();\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS "
                   "'SELECT 2;';\nCOMMIT;\nBEGIN;\nINSERT INTO b DEFAULT VALUES;\nCOMMIT;"},
                  {"000010_b.down.sql", "DROP TABLE b; DROP FUNCTION f;"}},
                 {"000001", "000002", "000010"}},
        PeerCase{"goose",
                 {{"00001_create_a.sql",
                   "-- +goose Up\nCREATE TABLE a (id int);\n-- +goose Down\nDROP TABLE a;\n"},
                  {"00002_index.sql",
                   "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY a_id ON a "
                   "(id);\n-- +goose Down\nDROP INDEX CONCURRENTLY a_id;\n"},
                  {"00003_b.sql",
                   "-- +goose Up\n-- +goose StatementBegin\nCREATE FUNCTION f() RETURNS int AS $$\n"
                   "BEGIN\n  RETURN 2;\nEND\n$$ LANGUAGE plpgsql\n-- +goose StatementEnd\n"
                   "CREATE TABLE b ();\nINSERT INTO b DEFAULT VALUES;\n\n-- +goose Down\n"
                   "DROP TABLE b;\nDROP FUNCTION f;\n"}},
                 {"00001", "00002", "00003"}},
        PeerCase{"dbmate",
                 {{"20240101000000_create_a.sql",
                   "-- migrate:up\nCREATE TABLE a (id int);\n-- migrate:down\nDROP TABLE a;\n"},
                  {"20240102000000_index.sql",
                   "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n"
                   "-- migrate:down transaction:false\nDROP INDEX CONCURRENTLY a_id;\n"},
                  {"20240103000000_b.sql",
                   "-- migrate:up\nCREATE TABLE b ();\nCREATE FUNCTION f() RETURNS int RETURN 2;\n"
                   "INSERT INTO b DEFAULT VALUES;\n-- migrate:down\nDROP TABLE b;\n"
                   "DROP FUNCTION f;\n"}},
                 {"20240101000000", "20240102000000", "20240103000000"}}),
    [](const auto& tested) {
      std::string name = tested.param.peer;
      name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
      return name;
    });

// --- What people see ---

TEST_F(ImportTest, SaysWhatBecameOfEachFileAndHowToGoOn) {
  Write("V1__init.sql", "SELECT 1;");
  Write("R__views.sql", "SELECT 2;");
  EXPECT_EQ(Text(ImportArguments("flyway", {"--skip", "R__views.sql"})),
            absl::StrCat("V1__init.sql -> 1_init.sql\n"
                         "R__views.sql skipped\n"
                         "\n"
                         "Wrote 1 revision to ",
                         migrations(),
                         "\n"
                         "note: 1 of 1 revisions has no undo file: nothing downgrades below it\n"
                         "\n"
                         "A database that Flyway has brought to version 1 is adopted by:\n"
                         "  migctl stamp 1\n"
                         "To see which version it has:\n"
                         "  SELECT version FROM flyway_schema_history WHERE success AND version IS "
                         "NOT NULL ORDER BY installed_rank DESC LIMIT 1\n"));
}

TEST_F(ImportTest, NamesEverythingThatCannotBeTranslatedAndWritesNothing) {
  Write("V1__good.sql", "SELECT 1;");
  Write("V2__bad.sql", "SELECT 2;\n\\i other.sql\n");
  Write("R__views.sql", "SELECT 3;");
  const Failure failure = FailureOf(ImportArguments("flyway"));
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "INVALID_MIGRATIONS");
  EXPECT_THAT(failure.text, HasSubstr("2 problems in the flyway migrations"));
  EXPECT_THAT(failure.text, HasSubstr("V2__bad.sql:2: psql command \\i"));
  EXPECT_THAT(failure.text, HasSubstr("R__views.sql: a repeatable migration"));
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(ImportTest, ADryRunWritesNothing) {
  Write("V1__good.sql", "SELECT 1;");
  EXPECT_THAT(Text(ImportArguments("flyway", {"--dry-run"})), HasSubstr("Would write 1 revision"));
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(ImportTest, ASecondImportIsRefused) {
  Write("V1__good.sql", "SELECT 1;");
  Text(ImportArguments("flyway"));
  EXPECT_THAT(FailureOf(ImportArguments("flyway")).text, HasSubstr("1_good.sql"));
}

// --- Alembic ---

constexpr char kEnvironmentScript[] = R"(
import os
from alembic import context
from sqlalchemy import create_engine

if context.is_offline_mode():
    context.configure(url="postgresql://", literal_binds=True,
                      dialect_opts={"paramstyle": "named"})
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(os.environ["MIGRATED_DATABASE"]).connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
)";

class AlembicImportTest : public ImportTest {
 protected:
  void SetUp() override {
    ASSERT_EQ(access(kAlembic, X_OK), 0)
        << kAlembic << " is missing: apt-get install alembic python3-psycopg2";
    Write("alembic.ini", "[alembic]\nscript_location = %(here)s/scripts\n");
    Write("scripts/env.py", kEnvironmentScript);
  }

  void AddScript(const std::string& id, const std::string& header, const std::string& up,
                 const std::string& down) const {
    Write(
        absl::StrCat("scripts/versions/", id, ".py"),
        absl::StrCat("\"\"\"words of ", id, "\n\nRevision ID: ", id,
                     "\nCreate Date: 2024-01-02 03:04:05.678901\n\"\"\"\n",
                     "from alembic import op\nimport sqlalchemy as sa\n", "revision = '", id, "'\n",
                     header, "\n\ndef upgrade():\n", up, "\n\ndef downgrade():\n", down, "\n"));
  }

  // Two bases; a branch, a label and a dependency; a merge; an index outside of a transaction;
  // data, with a percent sign.
  void AddProject() const {
    AddScript("a1", "down_revision: str = None",
              "    op.create_table('a', sa.Column('id', sa.Integer, primary_key=True),\n"
              "        sa.Column('kind', sa.Enum('x', 'y', name='kinds'), nullable=False))\n"
              "    with op.get_context().autocommit_block():\n"
              "        op.create_index('a_kind', 'a', ['kind'], postgresql_concurrently=True)\n"
              "    op.execute(\"INSERT INTO a VALUES (1, 'x')\")",
              "    op.drop_table('a')\n    op.execute('DROP TYPE kinds')");
    AddScript("b1", "down_revision = 'a1'\nbranch_labels = ('shop',)",
              "    b = op.create_table('b', sa.Column('name', sa.String(20), server_default='%'))\n"
              "    op.bulk_insert(b, [{'name': \"it's 100%\"}, {'name': 'two'}])",
              "    op.drop_table('b')");
    AddScript("c1", "down_revision = 'a1'\ndepends_on = ['b1']",
              "    op.add_column('a', sa.Column('note', sa.Text(), comment='words'))\n"
              "    op.create_check_constraint('ck', 'a', \"note NOT LIKE '%;'\")",
              "    op.drop_column('a', 'note')");
    AddScript("d1", "down_revision = ('b1', 'c1')", "    pass", "    pass");
    AddScript("z1", "down_revision = None",
              "    op.execute('''CREATE FUNCTION f() RETURNS int AS $$\n"
              "BEGIN RETURN 1; END $$ LANGUAGE plpgsql''')",
              "    op.execute('DROP FUNCTION f')");
  }

  void Alembic(const ConnectionOptions& target, const Arguments& arguments) const {
    Command command{
        {kAlembic, "--config", theirs() + "/alembic.ini"},
        {{"MIGRATED_DATABASE", TestCluster::Uri(target)}, {"PYTHONDONTWRITEBYTECODE", "1"}}};
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    const Finished finished = RunCommand(command);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
  }

  // Everything in a database but what is the service's own, with its data. The rows of the version
  // table, whose order says nothing, stand at the end.
  static std::string DumpOf(const ConnectionOptions& database) {
    if (!TestCluster::HasPgDump()) return Dump(database);
    const Finished dump = RunCommand(
        {{"pg_dump", "--exclude-schema=migration_service", "--exclude-table-data=alembic_version",
          absl::StrCat("--dbname=", TestCluster::Uri(database))}});
    EXPECT_EQ(dump.exit_code, 0) << dump.err;
    std::string sql;
    for (const absl::string_view line : absl::StrSplit(dump.out, '\n')) {
      const bool random = absl::StrContains(line, "restrict ");
      if (!random) absl::StrAppend(&sql, line, "\n");
    }
    absl::StrAppend(&sql, TestCluster::Query(database,
                                             "SELECT string_agg(version_num, ',' ORDER BY "
                                             "version_num) FROM alembic_version"));
    return sql;
  }
};

TEST_F(AlembicImportTest, DoesToADatabaseWhatAlembicDoes) {
  AddProject();
  const Finished import = Migctl(ImportArguments("alembic"));
  ASSERT_EQ(import.exit_code, 0) << import.err;
  EXPECT_THAT(Files(), ElementsAre("a1_words_of_a1.sql", "b1_words_of_b1.sql", "c1_words_of_c1.sql",
                                   "d1_words_of_d1.sql", "z1_words_of_z1.sql"));
  const ConnectionOptions by_alembic = TestCluster::CreateDatabase();
  Alembic(by_alembic, {"upgrade", "heads"});
  EXPECT_EQ(Migctl({"upgrade", "heads"}).exit_code, 0);
  EXPECT_EQ(DumpOf(database()), DumpOf(by_alembic));

  Alembic(by_alembic, {"downgrade", "base"});
  EXPECT_EQ(Migctl({"downgrade", "base", "--yes"}).exit_code, 0);
  EXPECT_EQ(DumpOf(database()), DumpOf(by_alembic));
}

TEST_F(AlembicImportTest, GoesOnWithADatabaseOfAlembics) {
  AddProject();
  Alembic(database(), {"upgrade", "heads"});
  EXPECT_THAT(Text(ImportArguments("alembic")), EndsWith("See:\n  migctl current\n"));
  const std::string before = Dump();
  EXPECT_EQ(Text({"current"}), "d1 (head) (mergepoint)\nz1 (head)\n");
  EXPECT_THAT(Migctl({"upgrade", "heads"}).out, HasSubstr("nothing to do"));
  EXPECT_EQ(Dump(), before);
}

TEST_F(AlembicImportTest, NamesTheScriptsThatNeedADatabase) {
  AddScript("a1", "down_revision = None", "    for row in op.get_bind().execute('SELECT 1'): pass",
            "    pass");
  AddScript("b1", "down_revision = 'a1'", "    op.execute('SELECT 1')",
            "    raise NotImplementedError('no way back')");
  AddScript("c1", "down_revision = 'b1'", "    op.get_bind().commit()", "    pass");
  const Failure failure = FailureOf(ImportArguments("alembic"));
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_THAT(failure.text, HasSubstr("2 problems in the alembic migrations"));
  EXPECT_THAT(failure.text, HasSubstr("scripts/versions/a1.py:12: Alembic cannot print its SQL"));
  EXPECT_THAT(failure.text, HasSubstr("scripts/versions/c1.py:12: Alembic cannot print its SQL"));
  EXPECT_THAT(Files(), IsEmpty());

  const Json report = Object(ImportArguments("alembic", {"--skip", "a1.py", "--skip", "c1.py"}));
  EXPECT_EQ(report["skipped"].texts(),
            Arguments({"scripts/versions/a1.py", "scripts/versions/c1.py"}));
  EXPECT_EQ(report["notes"].size(), 3);
  EXPECT_THAT(report["notes"][1].text(),
              AllOf(StartsWith("scripts/versions/b1.py:15 has no down section"),
                    EndsWith("NotImplementedError: no way back")));
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "c1");
}

TEST_F(AlembicImportTest, FindsTheProgramFromWhereItIsTyped) {
  AddProject();
  std::filesystem::create_directories(directory().path() + "/venv/bin");
  std::filesystem::create_symlink(kAlembic, directory().path() + "/venv/bin/alembic");
  Command command =
      MigctlCommand(ImportArguments("alembic", {"--alembic", "venv/bin/alembic", "--dry-run"}));
  const Arguments there = {"sh", "-c", "cd \"$0\" && exec \"$@\"", directory().path()};
  command.arguments.insert(command.arguments.begin(), there.begin(), there.end());
  const Finished import = RunCommand(command);
  EXPECT_EQ(import.exit_code, 0) << import.err;
}

TEST_F(AlembicImportTest, NamesThePlaceThatAlembicCannotReadHoweverTheDirectoryIsWritten) {
  AddScript("a1", "down_revision = None", "    def (", "    pass");
  for (const char* suffix : {"", "/", "/.", "/scripts/.."}) {
    const Failure failure = FailureOf({"import", "alembic", theirs() + suffix, "--dry-run"});
    EXPECT_THAT(failure.text, HasSubstr("fails at scripts/versions/a1.py:12: SyntaxError"));
  }
}

TEST_F(AlembicImportTest, NamesAnAlembicThatIsNotThere) {
  AddProject();
  const Failure failure = FailureOf(ImportArguments("alembic", {"--alembic", "venv/bin/alembic"}));
  EXPECT_EQ(failure.exit_code, 1);
  // From where migctl is run, though Alembic runs in the project.
  EXPECT_THAT(failure.text, HasSubstr(absl::StrCat(std::filesystem::current_path().string(),
                                                   "/venv/bin/alembic cannot be started: "
                                                   "No such file")));
  EXPECT_THAT(failure.text, HasSubstr("--alembic PROGRAM"));
}

}  // namespace
}  // namespace migd
