// The SQL of the audit: its table, which chains and keeps its rows by itself, and how one is added.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "migration/v1/access.pb.h"
#include "service/postgres/parameterized_query.h"

namespace migd {

// Statements that make the table in the schema `migration_service`. Its trigger gives each row its
// number, its time and its hash; another refuses whatever would change rows, and nobody, not even
// its owner, keeps the privilege to.
std::string CreateAuditSql();

// Whether it is there.
extern const absl::string_view kAuditExists;

// Adds a row for each row of `from` ("FROM written"); one, if that is empty.
std::string AppendAuditSql(const migration::v1::AuditEntry& entry, absl::string_view from,
                           QueryParameters& parameters);

// Adds a row and takes it back, in one message: the function that chains the rows, which a session
// compiles for the first of them, is ready then.
extern const absl::string_view kRehearseAuditSql;

// The columns of an entry, in the order of AuditEntry's fields; its time as microseconds since
// 1970.
extern const absl::string_view kAuditColumns;

}  // namespace migd
