// What a statement really does to relations, seen while a rehearsal runs it.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "migration/v1/statement.pb.h"
#include "service/database/database.h"
#include "service/execute/executor.h"

namespace migd {

// What was seen of one statement.
struct StatementTrace {
  absl::Duration duration;
  // The strongest first.
  std::vector<migration::v1::RelationLock> locks;
  std::vector<migration::v1::RelationWork> rewrites;
};

// Compares the locks of the session and the files of the relations before and after each statement.
// In a transaction that is exact, but for a lock that an earlier statement of it has taken already
// and keeps: it counts for that one. What runs outside a transaction keeps no locks; another
// connection looks at them while it runs. Used by one thread.
class RehearsalObserver : public StatementObserver {
 public:
  // `scratch` must outlive it; `live` has the sizes, by the names of the relations.
  RehearsalObserver(Database& scratch, const RelationFiles& live);
  ~RehearsalObserver() override;

  absl::Status Before(Session& session) override;
  absl::Status After(Session& session, const StatementResult* result) override;

  // Of the statement that ran last.
  const StatementTrace& trace() const { return trace_; }
  // What is made from now on counts as new.
  void BeginPass() { initial_.reset(); }

 private:
  class Sampler;

  void Compare(const RelationLocks& locks, const RelationFiles& relations);
  migration::v1::RelationWork WorkOn(migration::v1::RelationWorkKind kind,
                                     const RelationFile& relation, const std::string& reason) const;

  Database& scratch_;
  std::map<std::string, RelationFile> live_;
  // The relations at the beginning of the pass.
  std::unique_ptr<RelationFiles> initial_;
  RelationFiles relations_;
  RelationLocks locks_;
  absl::Time start_;
  std::unique_ptr<Sampler> sampler_;
  StatementTrace trace_;
};

}  // namespace migd
