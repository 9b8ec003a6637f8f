#include "tests/support/tallied_migrations.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace migd {
namespace {

const char* DirectionName(bool upgrade) { return upgrade ? "upgrade" : "downgrade"; }

std::string StatementName(bool upgrade, const std::string& revision, size_t number) {
  return absl::StrCat(DirectionName(upgrade), " ", revision, " statement ", number);
}

bool Exists(pqxx::transaction_base& work, const std::string& table) {
  return work.exec1(absl::StrCat("SELECT to_regclass('", table, "') IS NOT NULL"))[0].as<bool>();
}

}  // namespace

// Writes the statements of one section.
class TalliedMigrations::Writer {
 public:
  Writer(Revision& revision, bool upgrade, bool transactional)
      : revision_(revision), upgrade_(upgrade), section_(upgrade ? revision.up : revision.down) {
    section_.transactional = transactional;
  }

  Writer& Do(const std::string& sql) { return Add({Kind::kAtomic, sql, false, "", ""}); }
  Writer& Set(const std::string& sql) { return Add({Kind::kSetting, sql, false, "", ""}); }
  Writer& Vacuum(const std::string& table) {
    return Add({Kind::kAlone, absl::StrCat("VACUUM ", table), false, "", ""});
  }
  Writer& Create(const std::string& sql, const std::string& name) {
    return Add({Kind::kAtomic, sql, false, name, ""});
  }
  Writer& Drop(const std::string& sql, const std::string& name) {
    return Add({Kind::kAtomic, sql, false, "", name});
  }
  Writer& Build(const std::string& sql, const std::string& name) {
    return Add({Kind::kAlone, sql, false, name, ""});
  }
  Writer& Unbuild(const std::string& sql, const std::string& name) {
    return Add({Kind::kAlone, sql, false, "", name});
  }
  // Takes a moment before and behind the row, so that it is cut off in either.
  Writer& Tally() {
    return Add({Kind::kAtomic,
                absl::StrCat("INSERT INTO public.tally (revision, direction, statement) SELECT ",
                             Values(", "), " FROM pg_sleep(0.003)"),
                true, "", ""});
  }
  Writer& TallyByCopy() {
    return Add(
        {Kind::kAtomic,
         absl::StrCat("COPY public.tally (revision, direction, statement) FROM stdin (FORMAT "
                      "csv);\n",
                      revision_.id, ",", DirectionName(upgrade_), ",", Next(), "\n\\."),
         true, "", ""});
  }
  Writer& TallyInProcedureIf(bool is_meant) {
    if (!is_meant) return *this;
    return Add({Kind::kAlone, absl::StrCat("CALL public.tally_and_commit(", Values(", "), ")"),
                true, "", ""});
  }

 private:
  size_t Next() const { return section_.statements.size() + 1; }
  std::string Values(const char* comma) const {
    return absl::StrCat("'", revision_.id, "'", comma, "'", DirectionName(upgrade_), "'", comma,
                        Next());
  }
  Writer& Add(Statement statement) {
    section_.statements.push_back(std::move(statement));
    return *this;
  }

  const Revision& revision_;
  const bool upgrade_;
  Section& section_;
};

TalliedMigrations::TalliedMigrations(Procedures procedures) {
  const bool calls = procedures == Procedures::kSome;
  for (const char* id : {"aa10", "bb20", "cc30", "dd40", "ee50", "ff60"}) {
    revisions_.push_back({id, {}, {}});
  }
  const auto up = [&](size_t index, bool transactional) {
    return Writer(revisions_[index], true, transactional);
  };
  const auto down = [&](size_t index, bool transactional) {
    return Writer(revisions_[index], false, transactional);
  };
  up(0, true)
      .Create("CREATE TABLE public.made_a (id int)", "public.made_a")
      .Tally()
      .Do("INSERT INTO public.made_a SELECT generate_series(1, 5000)")
      .Create("CREATE INDEX made_a_id ON public.made_a (id)", "public.made_a_id")
      .Tally();
  down(0, true)
      .Tally()
      .Drop("DROP INDEX public.made_a_id", "public.made_a_id")
      .Drop("DROP TABLE public.made_a", "public.made_a")
      .Tally();

  up(1, false)
      .Tally()
      .Build("CREATE INDEX CONCURRENTLY made_b ON public.made_a (id)", "public.made_b")
      .TallyByCopy()
      .Vacuum("public.made_a")
      .Tally();
  down(1, false)
      .Tally()
      .Unbuild("DROP INDEX CONCURRENTLY public.made_b", "public.made_b")
      .TallyByCopy();

  // What a revision sets for its session is not there in the next.
  up(2, true)
      .Set("SET search_path = side")
      .Create("CREATE TABLE made_c (id int)", "side.made_c")
      .Tally()
      .Do("DO $$ BEGIN PERFORM pg_sleep(0.005); END $$")
      .Tally();
  down(2, true).Set("SET search_path = side").Tally().Drop("DROP TABLE made_c", "side.made_c");

  up(3, false)
      .Set("SET search_path = side")
      .Create("CREATE TABLE made_d (id int)", "side.made_d")
      .TallyInProcedureIf(calls)
      .Build("CREATE UNIQUE INDEX CONCURRENTLY made_d_id ON made_d (id)", "side.made_d_id")
      .Tally()
      .TallyInProcedureIf(calls);
  down(3, false)
      .TallyInProcedureIf(calls)
      .Set("SET search_path = side")
      .Unbuild("DROP INDEX CONCURRENTLY made_d_id", "side.made_d_id")
      .Tally()
      .Drop("DROP TABLE made_d", "side.made_d");

  up(4, false)
      .Do("BEGIN")
      .Tally()
      .Create("CREATE TABLE public.made_e (id int)", "public.made_e")
      .Tally()
      .Do("COMMIT")
      .Tally();
  down(4, false)
      .Tally()
      .Do("BEGIN")
      .Drop("DROP TABLE public.made_e", "public.made_e")
      .Tally()
      .Do("COMMIT");

  up(5, true)
      .Do("ALTER TABLE public.made_a ADD COLUMN note text DEFAULT clock_timestamp()")
      .Tally()
      .Do("UPDATE public.made_a SET id = id + 1");
  down(5, true).Tally().Do("ALTER TABLE public.made_a DROP COLUMN note").Tally();
}

const char* TalliedMigrations::SetupSql() {
  return R"(
    CREATE SCHEMA side;
    CREATE TABLE pass (number int NOT NULL);
    INSERT INTO pass VALUES (0);
    CREATE FUNCTION current_pass() RETURNS int LANGUAGE sql AS 'SELECT number FROM public.pass';
    CREATE TABLE tally (pass int NOT NULL DEFAULT public.current_pass(), revision text NOT NULL,
                        direction text NOT NULL, statement int NOT NULL);
    CREATE PROCEDURE tally_and_commit(text, text, int) LANGUAGE plpgsql AS $$ BEGIN
      PERFORM pg_sleep(0.002);
      INSERT INTO public.tally (revision, direction, statement) VALUES ($1, $2, $3);
      COMMIT;
      PERFORM pg_sleep(0.002);
    END $$;
  )";
}

std::vector<Migration> TalliedMigrations::Files() const {
  const auto text = [](const Section& section) {
    return absl::StrJoin(section.statements, "\n", [](std::string* out, const Statement& one) {
      // The end of COPY's data is the end of the statement.
      absl::StrAppend(out, one.sql, one.sql.back() == '.' ? "" : ";");
    });
  };
  std::vector<Migration> files;
  std::string parent;
  for (const Revision& revision : revisions_) {
    Migration file;
    file.id = revision.id;
    file.revises = parent;
    file.up = text(revision.up);
    file.down = text(revision.down);
    if (!revision.up.transactional) file.options = "transaction:false";
    parent = revision.id;
    files.push_back(std::move(file));
  }
  return files;
}

TalliedMigrations::Pass TalliedMigrations::Begin(pqxx::connection& database, bool upgrade) const {
  Pass pass;
  pass.upgrade = upgrade;
  pass.applied = AppliedIn(Read(database, {}));
  pqxx::work work(database);
  pass.number = work.exec1("UPDATE pass SET number = number + 1 RETURNING number")[0].as<int>();
  if (Exists(work, "migration_service.revision_log")) {
    pass.last_entry =
        work.exec1("SELECT coalesce(max(entry), 0) FROM migration_service.revision_log")[0]
            .as<std::string>();
  }
  work.commit();
  return pass;
}

TalliedMigrations::Snapshot TalliedMigrations::Read(pqxx::connection& database, const Pass& pass) {
  // One snapshot for all of it, the catalogue included: migrations may be running.
  pqxx::transaction<pqxx::repeatable_read, pqxx::read_only> work(database);
  Snapshot snapshot;
  // The first query takes the snapshot; a table made later than that is empty in it.
  for (const pqxx::row row : work.exec_params(
           "SELECT direction, revision, statement, count(*) FROM tally WHERE pass = $1 "
           "GROUP BY direction, revision, statement",
           pass.number)) {
    snapshot.tally[StatementName(row[0].as<std::string>() == "upgrade", row[1].as<std::string>(),
                                 row[2].as<size_t>())] = row[3].as<int>();
  }
  for (const pqxx::row row : work.exec(
           "SELECT n.nspname || '.' || c.relname, coalesce(i.indisvalid, true) FROM pg_class c "
           "JOIN pg_namespace n ON n.oid = c.relnamespace "
           "LEFT JOIN pg_index i ON i.indexrelid = c.oid WHERE c.relname LIKE 'made\\_%'")) {
    snapshot.relations[row[0].as<std::string>()] = row[1].as<bool>();
  }
  if (Exists(work, "alembic_version")) {
    for (const pqxx::row row : work.exec("SELECT version_num FROM alembic_version")) {
      snapshot.version_rows.push_back(row[0].as<std::string>());
    }
  }
  if (Exists(work, "migration_service.revision_log")) {
    for (const pqxx::row row :
         work.exec_params("SELECT direction || ' ' || revision FROM migration_service.revision_log "
                          "WHERE entry > $1 AND decision IS NULL ORDER BY entry",
                          pass.last_entry)) {
      snapshot.log.push_back(row[0].as<std::string>());
    }
  }
  if (Exists(work, "migration_service.statement_journal")) {
    for (const pqxx::row row : work.exec("SELECT direction, revision, statement_index, state FROM "
                                         "migration_service.statement_journal")) {
      snapshot.journal[StatementName(row[0].as<std::string>() == "upgrade",
                                     row[1].as<std::string>(), row[2].as<size_t>())] =
          row[3].as<std::string>();
    }
  }
  return snapshot;
}

int TalliedMigrations::AppliedIn(const Snapshot& snapshot) const {
  if (snapshot.version_rows.empty()) return 0;
  const auto found =
      std::find_if(revisions_.begin(), revisions_.end(), [&](const Revision& revision) {
        return snapshot.version_rows.size() == 1 && revision.id == snapshot.version_rows[0];
      });
  return found == revisions_.end() ? -1 : static_cast<int>(found - revisions_.begin()) + 1;
}

bool TalliedMigrations::IsProcedure(const std::string& revision, bool upgrade,
                                    int statement) const {
  const Section* section = Find(revision, upgrade);
  const auto index = static_cast<size_t>(statement) - 1;
  return section != nullptr && index < section->statements.size() &&
         section->statements[index].kind == Kind::kAlone && section->statements[index].tallied;
}

bool TalliedMigrations::HasRun(const Snapshot& snapshot, const std::string& revision, bool upgrade,
                               int statement) {
  return snapshot.tally.count(StatementName(upgrade, revision, static_cast<size_t>(statement))) > 0;
}

bool TalliedMigrations::IsTransactional(const std::string& revision, bool upgrade) const {
  const Section* section = Find(revision, upgrade);
  return section != nullptr && section->transactional;
}

const TalliedMigrations::Section* TalliedMigrations::Find(const std::string& revision,
                                                          bool upgrade) const {
  for (const Revision& one : revisions_) {
    if (one.id == revision) return &one.of(upgrade);
  }
  return nullptr;
}

std::string TalliedMigrations::Problems(const Snapshot& snapshot, const Pass& pass) const {
  const int applied = AppliedIn(snapshot);
  if (applied < 0) {
    return absl::StrCat("version rows: ", absl::StrJoin(snapshot.version_rows, ", "));
  }
  std::vector<std::string> problems;
  std::vector<std::string> log;
  // How often each statement has run, where that is known.
  std::map<std::string, int> tally;
  std::map<std::string, bool> relations;
  // What may be so or so, for the journal does not tell.
  std::vector<std::string> open_tallies;
  std::vector<std::string> open_relations;
  std::map<std::string, std::string> journal = snapshot.journal;

  const auto take_effect = [&](const Statement& statement) {
    if (!statement.creates.empty()) relations[statement.creates] = true;
    if (!statement.drops.empty()) relations.erase(statement.drops);
  };
  for (int i = 0; i < applied; ++i) {
    for (const Statement& statement : revisions_[static_cast<size_t>(i)].up.statements) {
      take_effect(statement);
    }
  }

  // The steps of the pass that are finished.
  const int step = pass.upgrade ? 1 : -1;
  const auto next = [&](int position) { return pass.upgrade ? position : position - 1; };
  if ((applied - pass.applied) * step < 0) problems.push_back("the pass went backwards");
  for (int at = pass.applied; (applied - at) * step > 0; at += step) {
    const Revision& revision = revisions_[static_cast<size_t>(next(at))];
    log.push_back(absl::StrCat(DirectionName(pass.upgrade), " ", revision.id));
    size_t number = 0;
    for (const Statement& statement : revision.of(pass.upgrade).statements) {
      const std::string name = StatementName(pass.upgrade, revision.id, ++number);
      if (statement.tallied) tally[name] = 1;
    }
  }

  // The step that may be half done.
  const int under_way = next(applied);
  if (under_way >= 0 && under_way < count()) {
    const Revision& revision = revisions_[static_cast<size_t>(under_way)];
    const Section& section = revision.of(pass.upgrade);
    size_t number = 0;
    for (const Statement& statement : section.statements) {
      const std::string name = StatementName(pass.upgrade, revision.id, ++number);
      const auto entry = journal.find(name);
      if (section.transactional || entry == journal.end()) continue;
      const bool started = entry->second == "started";
      journal.erase(entry);
      if (!started) {
        if (statement.tallied) tally[name] = 1;
        take_effect(statement);
      } else if (statement.kind != Kind::kAlone) {
        problems.push_back(absl::StrCat(name, " is started and not finished"));
      } else {
        if (statement.tallied) open_tallies.push_back(name);
        open_relations.push_back(statement.creates + statement.drops);
      }
    }
  }

  if (snapshot.log != log) {
    problems.push_back(absl::StrCat("the log is [", absl::StrJoin(snapshot.log, ", "), "], not [",
                                    absl::StrJoin(log, ", "), "]"));
  }
  for (const auto& [name, state] : journal) {
    problems.push_back(absl::StrCat("the journal has ", name, ": ", state));
  }
  std::map<std::string, int> found_tally = snapshot.tally;
  for (const std::string& name : open_tallies) {
    if (found_tally.count(name) > 0) tally[name] = 1;
  }
  std::map<std::string, bool> found_relations = snapshot.relations;
  for (const std::string& name : open_relations) {
    found_relations.erase(name);
    relations.erase(name);
  }
  if (found_tally != tally) {
    problems.push_back(
        absl::StrCat("have run: [", absl::StrJoin(found_tally, ", ", absl::PairFormatter(": ")),
                     "], not [", absl::StrJoin(tally, ", ", absl::PairFormatter(": ")), "]"));
  }
  if (found_relations != relations) {
    problems.push_back(absl::StrCat(
        "there are: [", absl::StrJoin(found_relations, ", ", absl::PairFormatter(": ")), "], not [",
        absl::StrJoin(relations, ", ", absl::PairFormatter(": ")), "]"));
  }
  if (problems.empty()) return "";
  return absl::StrCat("at ", applied, " of ", count(),
                      " revisions: ", absl::StrJoin(problems, "\n"));
}

}  // namespace migd
