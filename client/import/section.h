// The SQL of a peer's migration as a section of ours. Pure; safe from any thread.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "client/import/reading.h"

namespace migctl {

// How a peer runs the statements of a section.
enum class Surroundings {
  // In a transaction that it begins; behind a COMMIT in the section there is none any more.
  kTransaction,
  // The same, but behind a COMMIT the next one begins by itself. So it is for a script that is sent
  // as one query, and for JDBC.
  kTransactions,
  // Without a transaction.
  kNone,
};

// The section that does what the peer does with `sql`, which begins at `line` of `file`. Where a
// transaction surrounds all of it, its own BEGIN and COMMIT are taken out. If there are several
// transactions, or statements outside of any, it is a transaction:false section in which BEGIN and
// COMMIT stand around those that belong together. Adds to `problems` what keeps the text from being
// split into statements, and transaction control that has no such translation.
absl::optional<ImportedSection> MakeSection(absl::string_view sql, const std::string& file,
                                            int line, Surroundings surroundings,
                                            std::vector<ImportProblem>& problems);

// The section has a statement that PostgreSQL refuses in a transaction, such as VACUUM or CREATE
// INDEX CONCURRENTLY. False for text that cannot be split into statements.
bool RefusesTransaction(absl::string_view sql);

// `contents` without a byte order mark.
absl::string_view WithoutByteOrderMark(absl::string_view contents);

// The lines of `text` with their ends.
std::vector<absl::string_view> LinesOf(absl::string_view text);

}  // namespace migctl
