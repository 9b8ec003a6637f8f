#include "service/postgres/statement_runner.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <deque>
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

// What is on its way to the server, at most: enough that it never waits for us, and little to wait
// for when the operation is to stop.
constexpr size_t kMostAhead = 64;
constexpr size_t kMostBytesAhead = 256 * 1024;

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

std::vector<absl::optional<std::string>> FirstRow(const PGresult* result) {
  std::vector<absl::optional<std::string>> row;
  if (PQntuples(result) == 0) return row;
  for (int column = 0; column < PQnfields(result); ++column) {
    const bool is_null = PQgetisnull(result, 0, column) == 1;
    row.push_back(is_null ? absl::nullopt
                          : absl::make_optional<std::string>(PQgetvalue(result, 0, column)));
  }
  return row;
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

struct StatementRunner::Pipeline {
  const Batch& batch;
  const OnResult& on_result;
  const absl::optional<SentAhead>& sent_ahead;

  // Those that are on their way, the oldest first, and what they come to.
  std::deque<Sent> ahead;
  size_t bytes_ahead = 0;
  // Of the batch, and behind it of what is next.
  size_t sent = 0;
  size_t received = 0;
  // What comes behind the batch, once it is known.
  absl::optional<Batch> next = absl::nullopt;
  // The server has refused one.
  bool refused = false;
  // No more of the batch are sent: all are, or one was refused, or `on_result` wants no more.
  bool closed = false;
  // The server has come to the end of the batch.
  bool ended = false;
  // The same for what is next.
  bool next_closed = false;
  bool next_ended = false;
  // libpq has something left to send.
  bool unsent = false;
  bool single_row = false;
  // Of the query that is next to end.
  bool has_result = false;
  QueryResult collected = {};
  absl::Status status = {};
  std::string loss = {};
  std::string loss_sqlstate = {};

  bool failed() const { return refused || !status.ok(); }

  // What is next was sent, at least some of it.
  bool has_sent_next() const { return next && sent > batch.count; }

  // Nothing more is to be taken. What is next is waited for only if it cannot be gone on with.
  bool is_done() const { return ended && (!failed() || !has_sent_next() || next_ended); }

  bool has_room() const { return ahead.size() < kMostAhead && bytes_ahead < kMostBytesAhead; }

  // Sends what may be sent now. False if the connection broke.
  bool SendAny(PGconn* connection) {
    if (!SendOf(batch, 0, closed, connection)) return false;
    return !closed || !next || SendOf(*next, batch.count, next_closed, connection);
  }

  // The oldest has ended.
  void Take() {
    bytes_ahead -= ahead.front().bytes;
    ahead.pop_front();
    single_row = false;
    const QueryResult finished = std::exchange(collected, {});
    const size_t index = received++;
    if (failed()) return;
    status = on_result(index, finished);
    refused = finished.error.has_value();
    if (!failed() && sent_ahead && sent_ahead->behind == index) next = sent_ahead->next();
  }

 private:
  // Sends what may be sent now of `from`, which comes behind `before` others, and behind its last
  // what makes the server say that it has come to the end.
  bool SendOf(const Batch& from, size_t before, bool& is_closed, PGconn* connection) {
    if (is_closed) return true;
    const size_t end = before + from.count;
    while (!failed() && sent < end && has_room()) {
      if (!SendOne(connection, from.query_of(sent - before))) return false;
    }
    const bool ends = failed() ? sent > before : sent == end && !from.has_more;
    if (!ends) return true;
    is_closed = true;
    unsent = true;
    return PQpipelineSync(connection) == 1;
  }

  bool SendOne(PGconn* connection, const Query& query) {
    ++sent;
    ahead.push_back({query.sql.size(), query.keeps_row});
    bytes_ahead += query.sql.size();
    unsent = true;
    // Who waits for room waits for the ends of those before.
    const bool is_awaited = query.is_awaited || !has_room();
    return SendQuery(connection, query) == 1 &&
           (!is_awaited || PQsendFlushRequest(connection) == 1);
  }
};

absl::Status StatementRunner::RunTogether(const Batch& batch, const OnResult& on_result,
                                          const absl::optional<SentAhead>& sent_ahead) {
  if (batch.count == 0) return absl::OkStatus();
  Pipeline pipeline = {batch, on_result, sent_ahead, std::exchange(on_their_way_, {})};
  pipeline.sent = pipeline.ahead.size();
  for (const Sent& sent : pipeline.ahead) pipeline.bytes_ahead += sent.bytes;
  pipeline.closed = std::exchange(are_all_on_their_way_, false);
  pipeline.unsent = std::exchange(has_unsent_, false);
  if (pipeline.sent == 0 && PQenterPipelineMode(handle()) != 1) return Lost("cannot send");
  // Else the two sides could wait for each other, each with its buffers full.
  PQsetnonblocking(handle(), 1);
  const bool alive = RunToEnd(pipeline);
  // To end this would wait for what is on its way.
  const bool goes_on = alive && !pipeline.ahead.empty();
  if (!goes_on) PQsetnonblocking(handle(), 0);
  if (!alive || (!goes_on && PQexitPipelineMode(handle()) != 1)) {
    return Lost(pipeline.loss, pipeline.loss_sqlstate);
  }
  on_their_way_ = std::move(pipeline.ahead);
  are_all_on_their_way_ = goes_on && pipeline.next_closed;
  has_unsent_ = goes_on && pipeline.unsent;
  return pipeline.status;
}

bool StatementRunner::RunToEnd(Pipeline& pipeline) {
  while (!pipeline.is_done()) {
    if (!SendMore(pipeline)) return false;
    if (TakeResults(pipeline)) continue;
    if (!pipeline.loss.empty() || !AwaitSocket(pipeline)) return false;
  }
  return true;
}

int StatementRunner::SendQuery(PGconn* connection, const Query& query) {
  switch (query.kind) {
    case Query::Kind::kText:
      return PQsendQueryParams(connection, query.sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr,
                               0);
    case Query::Kind::kPrepare:
      return PQsendPrepare(connection, query.name.c_str(), query.sql.c_str(), 0, nullptr);
    case Query::Kind::kPrepared:
      break;
  }
  std::vector<const char*> values;
  for (const std::string& parameter : query.parameters) values.push_back(parameter.c_str());
  return PQsendQueryPrepared(connection, query.name.c_str(), static_cast<int>(values.size()),
                             values.data(), nullptr, nullptr, 0);
}

bool StatementRunner::SendMore(Pipeline& pipeline) {
  // Not for each that has ended: a message that carries many costs little more than one.
  const bool is_low = pipeline.ahead.size() <= kMostAhead / 2;
  if ((is_low || pipeline.failed()) && !pipeline.SendAny(handle())) return false;
  if (!pipeline.unsent) return true;
  const int flushed = PQflush(handle());
  pipeline.unsent = flushed == 1;
  return flushed >= 0;
}

bool StatementRunner::TakeResults(Pipeline& pipeline) {
  bool taken = false;
  while (!pipeline.is_done()) {
    // Only before anything of its result was looked at.
    if (!pipeline.single_row) pipeline.single_row = PQsetSingleRowMode(handle()) == 1;
    if (PQisBusy(handle()) != 0 || (pipeline.ahead.empty() && !pipeline.closed)) break;
    const OwnedResult result{PQgetResult(handle())};
    taken = true;
    if (result == nullptr) {
      // Not the end of a query: it comes before the first, and before what tells the end.
      if (!std::exchange(pipeline.has_result, false)) continue;
      pipeline.Take();
      // What is to be sent now is sent before anything else is looked at.
      return true;
    }
    pipeline.has_result = PQresultStatus(result.get()) != PGRES_PIPELINE_SYNC;
    switch (PQresultStatus(result.get())) {
      case PGRES_PIPELINE_SYNC:
        (pipeline.ended ? pipeline.next_ended : pipeline.ended) = true;
        break;
      case PGRES_PIPELINE_ABORTED:
        break;
      case PGRES_FATAL_ERROR:
        if (IsLoss(handle(), result.get())) {
          pipeline.loss = PQresultErrorMessage(result.get());
          pipeline.loss_sqlstate = Field(result.get(), PG_DIAG_SQLSTATE);
          if (pipeline.loss.empty()) pipeline.loss = "the connection was lost";
          return false;
        }
        [[fallthrough]];
      default:
        if (pipeline.ahead.front().keeps_row && pipeline.collected.first_row.empty()) {
          pipeline.collected.first_row = FirstRow(result.get());
        }
        Collect(result.get(), absl::nullopt, pipeline.collected);
    }
  }
  return taken;
}

bool StatementRunner::AwaitSocket(Pipeline& pipeline) {
  if (PQstatus(handle()) == CONNECTION_BAD) return false;
  pollfd socket = {PQsocket(handle()), static_cast<short>(POLLIN | (pipeline.unsent ? POLLOUT : 0)),
                   0};
  while (::poll(&socket, 1, -1) < 0) {
    if (errno != EINTR) return false;
  }
  return (socket.revents & ~POLLOUT) == 0 || PQconsumeInput(handle()) == 1;
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
