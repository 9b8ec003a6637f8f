// From libpqxx's exceptions to statuses. No exception of libpqxx leaves service/postgres/.
#pragma once

#include <pqxx/pqxx>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/postgres/connection.h"

namespace migd {

// The status of a refused connection to `database`.
absl::Status TranslateConnectFailure(const ConnectFailure& failure, const std::string& database);

// The status of a query that the server refused, though the service made it: with a SQLSTATE and
// the primary message.
absl::Status StatusOfRefusal(absl::string_view sqlstate, const std::string& message,
                             const std::string& database);
absl::Status TranslateSqlError(const pqxx::sql_error& error, const std::string& database);

// The status of a query that the server ended to resolve a deadlock or a serialization conflict.
absl::Status TranslateRollback(const pqxx::transaction_rollback& failure,
                               const std::string& database);

// The status of a value that is not of the type that the service gave its column, such as NULL.
absl::Status TranslateConversionError(const pqxx::conversion_error& failure,
                                      const std::string& database);

// The status of what libpqxx throws only if it is misused.
absl::Status TranslateFault(const std::exception& fault, const std::string& database);

// Runs `body`, which returns a Status or a StatusOr and uses libpqxx.
template <typename Body>
auto Translated(const std::string& database, Body&& body) -> decltype(body()) {
  try {
    return std::forward<Body>(body)();
  } catch (const ConnectFailure& failure) {
    return TranslateConnectFailure(failure, database);
  } catch (const pqxx::broken_connection& failure) {
    return TranslateConnectFailure(ConnectFailure("", failure.what()), database);
  } catch (const pqxx::sql_error& error) {
    return TranslateSqlError(error, database);
  } catch (const pqxx::transaction_rollback& failure) {
    return TranslateRollback(failure, database);
  } catch (const pqxx::conversion_error& failure) {
    return TranslateConversionError(failure, database);
  } catch (const pqxx::pqxx_exception& fault) {
    return TranslateFault(fault.base(), database);
  }
}

}  // namespace migd
