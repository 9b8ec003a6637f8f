#include "service/postgres/status_translation.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/errors.h"
#include "service/base/utf8.h"

namespace migd {
namespace {

constexpr char kVersionTableHint[] =
    "see that the version table is Alembic's (version_num varchar(32) NOT NULL) and that the role "
    "may use it";

// What PostgreSQL said, of what libpqxx made of it: "ERROR:  message", and lines with the query.
std::string MessageOf(const std::exception& failure) {
  absl::string_view line = absl::StripLeadingAsciiWhitespace(failure.what());
  line = line.substr(0, line.find('\n'));
  const size_t severity = line.find(":  ");
  if (severity != absl::string_view::npos && severity < line.find(' ')) {
    line.remove_prefix(severity + 3);
  }
  return ToValidUtf8(absl::StripAsciiWhitespace(line));
}

}  // namespace

absl::Status TranslateConnectFailure(const ConnectFailure& failure, const std::string& database) {
  const std::string message = MessageOf(failure);
  // Class 28 is invalid_authorization_specification: an unknown role, a wrong password,
  // pg_hba.conf. 3D000 is invalid_catalog_name; 42501 comes without the CONNECT privilege.
  if (absl::StartsWith(failure.sqlstate(), "28") || failure.sqlstate() == "42501") {
    return errors::DatabaseLoginRefused(database, message);
  }
  if (failure.sqlstate() == "3D000") return errors::DatabaseMissing(database, message);
  // libpq itself: the server wants a password, and there is none.
  if (absl::StrContains(message, "no password supplied")) {
    return errors::DatabaseLoginRefused(database, message);
  }
  return errors::DatabaseUnavailable(database, message);
}

absl::Status StatusOfRefusal(absl::string_view sqlstate, const std::string& message,
                             const std::string& database) {
  const std::string problem = absl::StrCat("database ", database, ": ", message);
  if (sqlstate == "42501") {
    return errors::InsufficientPrivilege(
        problem,
        "grant the privilege to the role that migd connects as, or connect as the owner of the "
        "database");
  }
  // query_canceled, lock_not_available, read_only_sql_transaction.
  if (sqlstate == "57014") return errors::StatementTimeout(problem);
  if (sqlstate == "55P03") return errors::LockTimeout(problem);
  if (sqlstate == "25006") return errors::DatabaseReadOnly(database);
  // serialization_failure, deadlock_detected.
  if (absl::StartsWith(sqlstate, "40")) return errors::TransactionConflict(problem);
  if (absl::StartsWith(sqlstate, "57P") || absl::StartsWith(sqlstate, "08")) {
    return errors::DatabaseUnavailable(database, message);
  }
  // Class 42 is about names and types, class 22 about values: the service's own tables are not what
  // it expects. In every other class PostgreSQL's message says what is the matter.
  const bool about_tables = absl::StartsWith(sqlstate, "42") || absl::StartsWith(sqlstate, "22");
  return errors::DatabaseUnsuitable(
      database,
      absl::StrCat("PostgreSQL refuses a query of the service: ", message, " [", sqlstate, "]"),
      about_tables ? kVersionTableHint : "put right what PostgreSQL says, then try again");
}

absl::Status TranslateSqlError(const pqxx::sql_error& error, const std::string& database) {
  // libpqxx drops the SQLSTATE of this one, since it has a class of its own.
  const bool unprivileged = dynamic_cast<const pqxx::insufficient_privilege*>(&error) != nullptr;
  return StatusOfRefusal(unprivileged ? "42501" : error.sqlstate(), MessageOf(error), database);
}

absl::Status TranslateRollback(const pqxx::transaction_rollback& failure,
                               const std::string& database) {
  return errors::TransactionConflict(absl::StrCat("database ", database, ": ", MessageOf(failure)));
}

absl::Status TranslateConversionError(const pqxx::conversion_error& failure,
                                      const std::string& database) {
  return errors::DatabaseUnsuitable(
      database,
      absl::StrCat("a table of the service has what it cannot read: ", MessageOf(failure)),
      kVersionTableHint);
}

absl::Status TranslateFault(const std::exception& fault, const std::string& database) {
  return errors::Internal(absl::StrCat("database ", database, ": libpqxx: ", MessageOf(fault)));
}

}  // namespace migd
