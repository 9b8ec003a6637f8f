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
//   follows;
// - UNIQUE and PRIMARY KEY become a unique index that is built CONCURRENTLY, and a constraint USING
//   INDEX, in a revision that follows; a primary key's columns are proven to be NOT NULL before;
// - DROP INDEX becomes CONCURRENTLY, in a revision that follows if the down section makes the index
//   again; REINDEX where its section may run it so;
// - ALTER DOMAIN ... ADD CHECK becomes NOT VALID, and is validated by a revision that follows;
// - char(n), timestamp, json and keys of 32 bits get the types that their rules ask for, names that
//   are too long are cut off where PostgreSQL cuts them, and a transaction that a section begins is
//   committed at its end.
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
