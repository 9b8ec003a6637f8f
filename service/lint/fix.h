// Rewrites migration files into their safe form, where that can be done without asking anybody.
#pragma once

#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"
#include "migration/v1/finding.pb.h"
#include "service/lint/lint.h"
#include "service/script/script_directory.h"

namespace migd {

// Proposes `revisions`, which no database has yet, in their safe form:
//
// - CREATE INDEX becomes CREATE INDEX CONCURRENTLY in a `transaction:false` section: that of its
//   file, if nothing else stands in it, otherwise of a revision that follows;
// - ADD FOREIGN KEY and ADD CHECK become NOT VALID, and are validated by a revision that follows;
// - SET NOT NULL becomes a CHECK (... IS NOT NULL) NOT VALID, and a revision that follows validates
//   it, sets NOT NULL, and drops the CHECK;
// - VALIDATE CONSTRAINT moves from the transaction that adds the constraint to a revision that
//   follows.
//
// A revision that follows revises the head above; there must be one. What a later statement or
// revision names is left alone, as is what a waiver allows. A file whose proposal could
// not be read, or a new one in which lint would find an error, is left out. Pure but for the random
// ids.
std::vector<migration::v1::ProposedFile> ProposeFixes(const ScriptSet& scripts,
                                                      const std::vector<RevisionIndex>& revisions,
                                                      const LintSeverities& severities,
                                                      absl::Time now, absl::BitGenRef random);

}  // namespace migd
