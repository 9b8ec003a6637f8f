#include "service/postgres/statement_runner.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "service/base/errors.h"
#include "service/base/utf8.h"

namespace migd {
namespace {

// COPY data goes out in pieces: libpq doubles its buffer for what it is given at once.
constexpr size_t kCopyPiece = 256 * 1024;

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using OwnedResult = std::unique_ptr<PGresult, ClearResult>;

std::string Field(const PGresult* result, int code) {
  const char* value = PQresultErrorField(result, code);
  // A migration may have changed client_encoding; a server in SQL_ASCII does not convert at all.
  return value == nullptr ? "" : ToValidUtf8(value);
}

ServerError ErrorOf(const PGresult* result) {
  ServerError error;
  error.sqlstate = Field(result, PG_DIAG_SQLSTATE);
  error.message = Field(result, PG_DIAG_MESSAGE_PRIMARY);
  error.detail = Field(result, PG_DIAG_MESSAGE_DETAIL);
  error.hint = Field(result, PG_DIAG_MESSAGE_HINT);
  error.context = Field(result, PG_DIAG_CONTEXT);
  if (!absl::SimpleAtoi(Field(result, PG_DIAG_STATEMENT_POSITION), &error.position)) {
    error.position = 0;
  }
  return error;
}

// A result without a SQLSTATE was made by libpq itself: the connection is lost, or the text could
// not be sent. Class 57P: the server shuts the connection down.
bool IsLoss(PGconn* connection, const PGresult* result) {
  const std::string sqlstate = Field(result, PG_DIAG_SQLSTATE);
  return PQstatus(connection) == CONNECTION_BAD || sqlstate.empty() ||
         sqlstate.compare(0, 3, "57P") == 0;
}

}  // namespace

StatementRunner::StatementRunner(Connection& connection, std::string database)
    : connection_(connection), database_(std::move(database)) {
  PQsetNoticeReceiver(handle(), &StatementRunner::OnNotice, this);
}

StatementRunner::~StatementRunner() {
  PQsetNoticeReceiver(
      handle(), [](void*, const PGresult*) {}, nullptr);
}

absl::StatusOr<StatementResult> StatementRunner::Run(absl::string_view sql,
                                                     absl::optional<absl::string_view> copy_data) {
  if (PQsendQuery(handle(), std::string(sql).c_str()) != 1) return Lost("cannot send");
  PQsetSingleRowMode(handle());

  StatementResult collected;
  std::string loss;
  std::string loss_sqlstate;
  // Every result must be fetched, also after an error, before the connection takes a new query.
  while (OwnedResult result{PQgetResult(handle())}) {
    if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR && IsLoss(handle(), result.get())) {
      if (loss.empty()) {
        loss = PQresultErrorMessage(result.get());
        loss_sqlstate = Field(result.get(), PG_DIAG_SQLSTATE);
      }
      if (PQstatus(handle()) == CONNECTION_BAD) break;
      continue;
    }
    Collect(result.get(), copy_data, collected);
  }
  if (!loss.empty() || PQstatus(handle()) == CONNECTION_BAD) return Lost(loss, loss_sqlstate);
  return collected;
}

void StatementRunner::Collect(const PGresult* result, absl::optional<absl::string_view> copy_data,
                              StatementResult& into) {
  switch (PQresultStatus(result)) {
    case PGRES_COPY_IN:
      FeedCopy(copy_data);
      break;
    case PGRES_COPY_OUT:
      DrainCopy(into);
      break;
    case PGRES_SINGLE_TUPLE:
      ++into.rows;
      break;
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK: {
      // PQcmdTuples and PQcmdStatus only read, but their parameter is not const.
      PGresult* readable = const_cast<PGresult*>(result);
      into.command_tag = PQcmdStatus(readable);
      int64_t affected = 0;
      if (absl::SimpleAtoi(PQcmdTuples(readable), &affected)) {
        into.rows = std::max(into.rows, affected);
      }
      break;
    }
    case PGRES_FATAL_ERROR:
      if (!into.error) into.error = ErrorOf(result);
      break;
    default:
      break;  // PGRES_EMPTY_QUERY: nothing to report
  }
}

void StatementRunner::FeedCopy(absl::optional<absl::string_view> data) {
  if (!data) {
    PQputCopyEnd(handle(), "the migration file has no data for this COPY");
    return;
  }
  // What goes wrong here is told by the results that follow.
  absl::string_view rest = *data;
  while (!rest.empty()) {
    const absl::string_view piece = rest.substr(0, kCopyPiece);
    if (PQputCopyData(handle(), piece.data(), static_cast<int>(piece.size())) != 1) return;
    rest.remove_prefix(piece.size());
  }
  PQputCopyEnd(handle(), nullptr);
}

void StatementRunner::DrainCopy(StatementResult& into) {
  char* row = nullptr;
  while (PQgetCopyData(handle(), &row, 0) > 0) {
    PQfreemem(row);
    ++into.rows;
  }
}

absl::Status StatementRunner::Lost(absl::string_view fallback, absl::string_view sqlstate) const {
  absl::string_view message = absl::StripAsciiWhitespace(PQerrorMessage(handle()));
  if (message.empty()) message = absl::StripAsciiWhitespace(fallback);
  return errors::DatabaseUnavailable(database_, ToValidUtf8(message), sqlstate);
}

void StatementRunner::OnNotice(void* runner, const PGresult* result) {
  const auto& handler = static_cast<StatementRunner*>(runner)->notice_handler_;
  if (!handler) return;
  // The severity that is never translated exists since PostgreSQL 9.6.
  handler({Field(result, PG_DIAG_SEVERITY_NONLOCALIZED), Field(result, PG_DIAG_SQLSTATE),
           Field(result, PG_DIAG_MESSAGE_PRIMARY), Field(result, PG_DIAG_MESSAGE_DETAIL),
           Field(result, PG_DIAG_MESSAGE_HINT)});
}

}  // namespace migd
