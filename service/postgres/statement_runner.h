// Runs the statements of migrations on libpq.
#pragma once

#include <libpq-fe.h>

#include <functional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "service/database/database.h"
#include "service/postgres/connection.h"

namespace migd {

// Sends SQL as it is, by the simple query protocol, and reports what the server answers in full.
// Used by one thread.
class StatementRunner {
 public:
  // `connection` must outlive the runner; its notices go to the runner from now on. `database` is
  // the name for errors.
  StatementRunner(Connection& connection, std::string database);
  ~StatementRunner();
  StatementRunner(const StatementRunner&) = delete;
  StatementRunner& operator=(const StatementRunner&) = delete;

  // Runs `sql` and waits for its end. `copy_data` is fed to COPY ... FROM stdin. Rows are counted
  // and thrown away as they come. DatabaseUnavailable if the connection broke.
  absl::StatusOr<StatementResult> Run(absl::string_view sql,
                                      absl::optional<absl::string_view> copy_data = absl::nullopt);

  void SetNoticeHandler(Session::NoticeHandler handler) { notice_handler_ = std::move(handler); }

 private:
  static void OnNotice(void* runner, const PGresult* result);
  void Collect(const PGresult* result, absl::optional<absl::string_view> copy_data,
               StatementResult& into);
  void FeedCopy(absl::optional<absl::string_view> data);
  void DrainCopy(StatementResult& into);
  absl::Status Lost(absl::string_view fallback, absl::string_view sqlstate = "") const;

  PGconn* handle() const { return connection_.handle(); }

  Connection& connection_;
  const std::string database_;
  Session::NoticeHandler notice_handler_;
};

}  // namespace migd
