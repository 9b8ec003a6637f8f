// Whether a database is what its migration files make.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "migration/v1/schema.pb.h"
#include "service/execute/cancellation.h"
#include "service/execute/workspace.h"
#include "service/plan/plan.h"
#include "service/schema/schema.h"

namespace migd {

// What is compared.
struct SchemaScope {
  // Only what is in these schemas; everything if empty.
  std::vector<std::string> schemas;
  // Patterns of what is left out; see IsIgnored.
  std::vector<std::string> ignore;
};

// How two schemas compare.
struct Comparison {
  // How many objects were expected.
  int object_count = 0;
  std::vector<migration::v1::SchemaDifference> differences;
  // How many more differences the patterns have left out.
  int ignored_count = 0;
};

// Compares in a scope. InvalidRequest for a schema that neither has. Pure.
absl::StatusOr<Comparison> CompareInScope(Schema expected, Schema actual, const SchemaScope& scope);

// The rows of a database, and the schema that it had with them.
struct LiveSchema {
  VersionRows rows;
  Schema schema;
};

// Reads both while nobody migrates, or shortly after. The errors of Database.
absl::StatusOr<LiveSchema> ReadLiveSchema(Database& database);

// What Verify finds.
struct Verification {
  VersionRows rows;
  Comparison comparison;
  // Where the files were replayed, in words.
  std::string scratch;
};

// Replays the files of a workspace up to the rows of its database in a scratch database, and
// compares the schemas, without what its policy ignores. The live database is only read. Offline,
// the errors of ReplaySchema, of the files and of the database. Thread-safe; takes as long as the
// files take on empty tables.
absl::StatusOr<Verification> VerifySchema(Workspace& workspace, SchemaScope scope,
                                          Cancellation& cancellation);

}  // namespace migd
