// Runs the statements of migrations on libpq.
#pragma once

#include <libpq-fe.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "service/database/database.h"
#include "service/postgres/connection.h"

namespace migd {

// Sends SQL as it is, and reports what the server answers in full. Used by one thread.
class StatementRunner {
 public:
  // `connection` must outlive the runner; its notices go to the runner from now on. `database` is
  // the name for errors.
  StatementRunner(Connection& connection, std::string database);
  ~StatementRunner();
  StatementRunner(const StatementRunner&) = delete;
  StatementRunner& operator=(const StatementRunner&) = delete;

  // Runs `sql` by the simple query protocol and waits for its end. `copy_data` is fed to COPY ...
  // FROM stdin. Rows are counted and thrown away as they come. DatabaseUnavailable if the
  // connection broke.
  absl::StatusOr<StatementResult> Run(absl::string_view sql,
                                      absl::optional<absl::string_view> copy_data = absl::nullopt);

  // One of several that are sent together.
  struct Query {
    enum class Kind {
      // Runs `sql`, a single statement without COPY.
      kText,
      // Prepares `sql` under `name`.
      kPrepare,
      // Runs what was prepared under `name`, with `parameters`.
      kPrepared,
    };
    std::string sql;
    // Its end is to be told at once, not when the server has more to tell.
    bool is_awaited = false;
    Kind kind = Kind::kText;
    std::string name = {};
    std::vector<std::string> parameters = {};
    // Its first row is wanted.
    bool keeps_row = false;
  };
  struct QueryResult : StatementResult {
    // The values of the first row, if it is wanted and there is one.
    std::vector<absl::optional<std::string>> first_row;
  };
  using OnResult = std::function<absl::Status(size_t index, const QueryResult& result)>;
  // Queries to run in their order: `query_of` is asked for each in turn, when it is sent.
  struct Batch {
    size_t count = 0;
    std::function<Query(size_t index)> query_of;
    // Of one that is sent ahead: the call that takes it has more behind these.
    bool has_more = false;
  };
  // Asked for what is to be run next, a query at least, as soon as `on_result` has said OK of the
  // query `behind`; it is sent behind the others of the call while they still run, and is not
  // waited for. It must do no harm if one of those is refused: the transaction that it meets then
  // is broken, and refuses all but its end. `on_result` says OK of those that are not refused.
  struct SentAhead {
    size_t behind;
    std::function<Batch()> next;
  };
  // Runs the queries of `batch` by the extended query protocol, sending them ahead: while one runs,
  // those that follow are on their way. `on_result` is called for each that ran, as soon as its end
  // is known. Those behind one that the server refuses do not run. If `on_result` returns a status
  // other than OK no more are sent, those that are on their way are waited for, and that status is
  // returned. DatabaseUnavailable if the connection broke.
  //
  // A server that waits for more of a transaction knows that it waits, and for how long, only once
  // the end of a batch was sent; so that comes with its last query, also ahead.
  //
  // After a call with `sent_ahead` that has returned OK, HasSentAhead() tells whether some of what
  // is next is on its way. Then RunTogether is what must be called next, with that batch; what was
  // sent is not sent again.
  absl::Status RunTogether(const Batch& batch, const OnResult& on_result,
                           const absl::optional<SentAhead>& sent_ahead = absl::nullopt);
  bool HasSentAhead() const { return !on_their_way_.empty(); }

  void SetNoticeHandler(Session::NoticeHandler handler) { notice_handler_ = std::move(handler); }

 private:
  static void OnNotice(void* runner, const PGresult* result);
  // A query that was sent, and has not ended.
  struct Sent {
    size_t bytes;
    bool keeps_row;
  };
  // The state of one RunTogether().
  struct Pipeline;
  // As libpq's functions, 1 if that went well.
  static int SendQuery(PGconn* connection, const Query& query);
  // Sends what may be on its way. False if the connection broke.
  bool SendMore(Pipeline& pipeline);
  // Sends all that `pipeline` has, and takes what the server answers to it. False if the connection
  // broke.
  bool RunToEnd(Pipeline& pipeline);
  // Takes the results that have arrived. False if there are none, or the connection broke.
  bool TakeResults(Pipeline& pipeline);
  // Waits until the connection can be read, or written if something is to be sent.
  bool AwaitSocket(Pipeline& pipeline);
  void Collect(const PGresult* result, absl::optional<absl::string_view> copy_data,
               StatementResult& into);
  void FeedCopy(absl::optional<absl::string_view> data);
  void DrainCopy(StatementResult& into);
  absl::Status Lost(absl::string_view fallback, absl::string_view sqlstate = "") const;

  PGconn* handle() const { return connection_.handle(); }

  Connection& connection_;
  const std::string database_;
  Session::NoticeHandler notice_handler_;
  // Those that the last RunTogether has sent ahead, and whether they are all of their batch.
  std::deque<Sent> on_their_way_;
  bool are_all_on_their_way_ = false;
  // libpq has some of them left to send.
  bool has_unsent_ = false;
};

}  // namespace migd
