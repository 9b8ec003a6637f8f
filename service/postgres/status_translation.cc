#include "service/postgres/status_translation.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/errors.h"

namespace migd {

absl::Status TranslateConnectFailure(const ConnectFailure& failure, const std::string& database) {
  const absl::string_view message = absl::StripAsciiWhitespace(failure.what());
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

absl::Status TranslateSqlError(const pqxx::sql_error& error, const std::string& database) {
  const std::string message(absl::StripAsciiWhitespace(error.what()));
  // libpqxx drops the SQLSTATE of this one, since it has a class of its own.
  const bool unprivileged = dynamic_cast<const pqxx::insufficient_privilege*>(&error) != nullptr;
  const std::string sqlstate = unprivileged ? "42501" : error.sqlstate();
  if (sqlstate == "42501") {
    return errors::InsufficientPrivilege(
        absl::StrCat("database ", database, ": ", message),
        "grant the privilege to the role that migd connects as, or connect as the owner of the "
        "database");
  }
  // 57014 query_canceled: somebody cancelled the operation while the service's own query ran.
  if (sqlstate == "57014") return errors::OperationCancelled(message);
  if (sqlstate == "55P03") {
    return errors::LockTimeout(absl::StrCat("database ", database, ": ", message));
  }
  if (sqlstate == "25006") return errors::DatabaseReadOnly(database);
  if (absl::StartsWith(sqlstate, "57P") || absl::StartsWith(sqlstate, "08")) {
    return errors::DatabaseUnavailable(database, message);
  }
  return errors::DatabaseUnsuitable(
      database,
      absl::StrCat("PostgreSQL refuses a query of the service: ", message, " [", sqlstate, "]"),
      "see that the version table is Alembic's (version_num varchar(32)) and that the role may use "
      "it");
}

absl::Status TranslateRollback(const pqxx::transaction_rollback& failure,
                               const std::string& database) {
  return errors::TransactionConflict(
      absl::StrCat("database ", database, ": ", absl::StripAsciiWhitespace(failure.what())));
}

absl::Status TranslateConversionError(const pqxx::conversion_error& failure,
                                      const std::string& database) {
  return errors::DatabaseUnsuitable(
      database, absl::StrCat("a table of the service has what it cannot read: ", failure.what()),
      "see that the version table is Alembic's (version_num varchar(32) NOT NULL)");
}

}  // namespace migd
