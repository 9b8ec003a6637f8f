#include "service/postgres/connection.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <new>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "service/base/utf8.h"

namespace migd {
namespace {

struct FinishConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using OwnedConnection = std::unique_ptr<PGconn, FinishConnection>;

// In a verbose message the code stands after the severity: "FATAL:  28P01: password ...".
// Returns where the code begins, or npos.
size_t FindSqlstate(absl::string_view line) {
  for (size_t at = line.find(":  "); at != absl::string_view::npos; at = line.find(":  ", at + 1)) {
    const absl::string_view rest = line.substr(at + 3);
    if (rest.size() < 7 || rest.substr(5, 2) != ": ") continue;
    bool is_code = true;
    for (const char c : rest.substr(0, 5)) {
      is_code = is_code && (absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
                            absl::ascii_isupper(static_cast<unsigned char>(c)));
    }
    if (is_code) return at + 3;
  }
  return absl::string_view::npos;
}

// The verbose message of a refused connection, without what is of use to PostgreSQL's developers
// only. One line for each address that was tried.
ConnectFailure FailureOf(PGconn* connection) {
  std::string sqlstate;
  std::string message;
  for (absl::string_view line :
       absl::StrSplit(PQerrorMessage(connection), '\n', absl::SkipWhitespace())) {
    if (absl::StartsWith(line, "LOCATION:")) continue;
    std::string text(absl::StripAsciiWhitespace(line));
    if (const size_t at = FindSqlstate(text); at != absl::string_view::npos) {
      sqlstate = text.substr(at, 5);
      text.erase(at, 7);
    }
    absl::StrAppend(&message, message.empty() ? "" : "; ", text);
  }
  // Before the connection is made, the server speaks in its own encoding.
  return ConnectFailure(std::move(sqlstate), ToValidUtf8(message));
}

// Waits until the handshake can go on. `deadline` comes closer when `hurry` is requested.
bool WaitForSocket(PGconn* connection, PostgresPollingStatusType wanted, absl::Time& deadline,
                   const Hurry* hurry) {
  // poll(2) passes over what is negative.
  std::array<pollfd, 2> awaited = {
      pollfd{PQsocket(connection),
             static_cast<short>(wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0},
      pollfd{hurry == nullptr ? -1 : hurry->descriptor(), POLLIN, 0}};
  while (true) {
    const absl::Duration left = std::min(deadline - absl::Now(), absl::Minutes(1));
    if (left <= absl::ZeroDuration()) return false;
    const int ready =
        poll(awaited.data(), awaited.size(), static_cast<int>(absl::ToInt64Milliseconds(left)) + 1);
    if (ready < 0 && errno != EINTR) return false;
    if (ready > 0 && awaited[0].revents != 0) return true;
    if (ready > 0 && awaited[1].revents != 0) {
      deadline = std::min(deadline, absl::Now() + Hurry::kPatience);
      awaited[1].fd = -1;
    }
  }
}

}  // namespace

namespace internal {

ConnectPolicy::ConnectPolicy(const std::string& conninfo, absl::Duration timeout,
                             const Hurry* hurry)
    : pqxx::connectionpolicy(conninfo), timeout_(timeout), hurry_(hurry) {}

ConnectPolicy::handle ConnectPolicy::do_startconnect(handle old) {
  if (old != nullptr) return old;
  // libpqxx would connect again by itself, to a session without the mutex and the transaction.
  if (connected_before_) throw ConnectFailure("", "the connection was lost");
  const absl::Time begin = absl::Now();
  absl::Time deadline = timeout_ > absl::ZeroDuration() ? begin + timeout_ : absl::InfiniteFuture();
  OwnedConnection connection(PQconnectStart(options().c_str()));
  if (connection == nullptr) throw std::bad_alloc();
  // The verbose form brings the SQLSTATE of a refusal, which libpq offers in no other way.
  PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (PQstatus(connection.get()) != CONNECTION_BAD && status != PGRES_POLLING_OK &&
         status != PGRES_POLLING_FAILED) {
    if (!WaitForSocket(connection.get(), status, deadline, hurry_)) {
      throw ConnectFailure(
          "", absl::StrCat("no answer within ", absl::FormatDuration(absl::Trunc(
                                                    deadline - begin, absl::Milliseconds(1)))));
    }
    status = PQconnectPoll(connection.get());
  }
  if (PQstatus(connection.get()) != CONNECTION_OK) throw FailureOf(connection.get());
  PQsetErrorVerbosity(connection.get(), PQERRORS_DEFAULT);
  connected_before_ = true;
  connection_ = connection.release();  // libpqxx closes it, by do_disconnect
  return connection_;
}

ConnectPolicy::handle ConnectPolicy::do_disconnect(handle old) noexcept {
  connection_ = nullptr;
  return pqxx::connectionpolicy::do_disconnect(old);
}

}  // namespace internal

Connection::Connection(const std::string& conninfo, absl::Duration timeout, const Hurry* hurry)
    : PolicyHolder{{conninfo, timeout, hurry}}, pqxx::connection_base(policy) {
  try {
    init();
  } catch (...) {
    close();  // the destructor of an object that was not made does not run
    throw;
  }
}

Connection::~Connection() noexcept { close(); }

std::string Connection::PreparedName(const std::string& sql) {
  constexpr size_t kMostPrepared = 32;
  const auto found = prepared_.find(sql);
  if (found != prepared_.end()) return found->second;
  if (prepared_.size() >= kMostPrepared) return "";
  const std::string name = absl::StrCat("migd_query_", prepared_.size());
  prepare(name, sql);
  prepared_[sql] = name;
  return name;
}

}  // namespace migd
