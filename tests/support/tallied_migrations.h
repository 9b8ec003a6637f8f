// Migrations that show what became of each of their statements, for tests that interrupt them.
#pragma once

#include <map>
#include <pqxx/pqxx>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/service_fixture.h"

namespace migd {

// A chain of revisions of every kind: in transactions and not, with concurrent builds, settings of
// the session, COPY, transactions of the section's own, and procedures that commit. A statement
// that runs twice shows it in the table `tally`; a statement that creates or drops shows it by
// itself.
class TalliedMigrations {
 public:
  // Whether there are procedures that commit, of which nobody but people can tell whether they ran.
  enum class Procedures { kSome, kNone };
  explicit TalliedMigrations(Procedures procedures = Procedures::kSome);

  // What has to be in the database before the first of them.
  static const char* SetupSql();
  std::vector<Migration> Files() const;
  int count() const { return static_cast<int>(revisions_.size()); }

  // A way through all of them, begun when nothing was half done.
  struct Pass {
    bool upgrade = true;
    // Distinguishes what the statements leave in `tally`.
    int number = 0;
    // How many revisions were applied when it began.
    int applied = 0;
    // The last entry of the log when it began.
    std::string last_entry = "0";
  };
  // Begins a pass.
  Pass Begin(pqxx::connection& database, bool upgrade) const;

  // What a database holds at one instant, while migrations run or not.
  struct Snapshot {
    std::vector<std::string> version_rows;
    // What the log has since the pass began: "upgrade aa10".
    std::vector<std::string> log;
    // How often each statement of this pass has run: "upgrade aa10 statement 2".
    std::map<std::string, int> tally;
    // The relations that these migrations have made, with their schema, and whether they are valid.
    std::map<std::string, bool> relations;
    // The state of each statement in the journal.
    std::map<std::string, std::string> journal;
  };
  static Snapshot Read(pqxx::connection& database, const Pass& pass);

  // What is wrong with a snapshot; empty if it is what exactly as many finished revisions leave as
  // the version table says, and the journal tells the rest.
  std::string Problems(const Snapshot& snapshot, const Pass& pass) const;

  // How many revisions are applied; -1 if the version rows are not of these revisions.
  int AppliedIn(const Snapshot& snapshot) const;
  // Whether nobody but people can tell what became of a statement that was cut off: one that
  // commits by itself, and of which the catalogue knows nothing.
  bool IsProcedure(const std::string& revision, bool upgrade, int statement) const;
  // Whether such a statement has run, by what is there.
  static bool HasRun(const Snapshot& snapshot, const std::string& revision, bool upgrade,
                     int statement);
  // Whether the section of a revision is one transaction.
  bool IsTransactional(const std::string& revision, bool upgrade) const;

 private:
  enum class Kind {
    // Leaves nothing, and has no entry in the journal.
    kSetting,
    // What it does and its entry in the journal are there together.
    kAtomic,
    // The journal says that it was started; the catalogue or people tell the rest.
    kAlone,
  };
  struct Statement {
    Kind kind = Kind::kAtomic;
    std::string sql;
    // It leaves a row in `tally`.
    bool tallied = false;
    std::string creates;
    std::string drops;
  };
  struct Section {
    bool transactional = true;
    std::vector<Statement> statements;
  };
  struct Revision {
    std::string id;
    Section up;
    Section down;

    const Section& of(bool upgrade) const { return upgrade ? up : down; }
  };
  class Writer;

  const Section* Find(const std::string& revision, bool upgrade) const;

  std::vector<Revision> revisions_;
};

}  // namespace migd
