#include "client/lock_text.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/text.h"
#include "client/time_text.h"

namespace migctl {

using migration::v1::Blocker;
using migration::v1::BlockerTerminated;
using migration::v1::LockWait;
using migration::v1::StepRetried;
using migration::v1::WaitingForMutex;

std::string HolderText(const WaitingForMutex& waiting) {
  if (!waiting.holder_operation().empty()) {
    return absl::StrCat("operation ", Escape(waiting.holder_operation()));
  }
  if (waiting.holder_pid() == 0) return "another holder of the database's mutex";
  std::vector<std::string> facts;
  if (!waiting.holder_application().empty()) facts.push_back(Escape(waiting.holder_application()));
  if (!waiting.holder_user().empty()) {
    facts.push_back(absl::StrCat("user ", Escape(waiting.holder_user())));
  }
  if (!waiting.holder_address().empty()) {
    facts.push_back(absl::StrCat("at ", Escape(waiting.holder_address())));
  }
  const std::string in_parentheses =
      facts.empty() ? "" : absl::StrCat(" (", absl::StrJoin(facts, ", "), ")");
  return absl::StrCat("pid ", waiting.holder_pid(), in_parentheses);
}

std::string BlockerText(const Blocker& blocker) {
  // PostgreSQL's pg_blocking_pids tells prepared transactions by this pid.
  if (blocker.pid() == 0) return "a prepared transaction (see pg_prepared_xacts)";
  std::vector<std::string> facts;
  if (!blocker.application().empty()) facts.push_back(Escape(blocker.application()));
  if (!blocker.user().empty()) facts.push_back(absl::StrCat("user ", Escape(blocker.user())));
  if (!blocker.address().empty()) facts.push_back(absl::StrCat("at ", Escape(blocker.address())));
  if (!blocker.state().empty()) {
    facts.push_back(absl::StrCat(Escape(blocker.state()), ", transaction of ",
                                 ShortDuration(ToDuration(blocker.transaction_age()))));
  }
  if (!blocker.holds_lock()) facts.push_back("waits for it, too");
  return absl::StrCat("pid ", blocker.pid(),
                      facts.empty() ? "" : absl::StrCat(" (", absl::StrJoin(facts, ", "), ")"),
                      blocker.query().empty() ? "" : ": ", Escape(blocker.query()));
}

std::string LockWaitText(const LockWait& wait) {
  if (wait.blockers().empty()) return "no more: nobody is in the way";
  const int others = wait.blockers_size() - 1;
  return absl::StrCat("for ", Escape(wait.lock_mode()), " on ", Escape(wait.relation()),
                      others > 0 ? absl::StrCat(", ", others, " more and ") : ", ", "behind ",
                      BlockerText(wait.blockers(0)));
}

std::string RetryText(const StepRetried& retried) {
  return absl::StrCat("attempt ", retried.attempt(), " of ", retried.most_attempts(), " in ",
                      ShortDuration(ToDuration(retried.pause())), ": ",
                      Escape(retried.error().message()));
}

std::string TerminatedText(const BlockerTerminated& terminated) {
  return absl::StrCat(BlockerText(terminated.blocker()),
                      terminated.terminated() ? "" : " could not be ended");
}

}  // namespace migctl
