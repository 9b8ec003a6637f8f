// The commands that shells complete command lines with.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/command_line.h"
#include "client/commands.h"
#include "client/completion.h"
#include "client/operation_report.h"
#include "client/text.h"

namespace migctl {
namespace {

using migration::v1::HistoryRequest;
using migration::v1::HistoryResponse;
using migration::v1::ListOperationsRequest;
using migration::v1::ListOperationsResponse;
using migration::v1::Operation;
using migration::v1::Revision;

// The newest revisions and operations are those that people type.
constexpr int kMostRevisions = 10'000;
constexpr int kMostOperations = 50;

// Asks the server for the values of an option. Errors mean nothing here: no message would help
// somebody who is typing.
class ServerSource : public CompletionSource {
 public:
  ServerSource(Session& session, bool may_ask) : session_(session), may_ask_(may_ask) {}

  std::vector<Candidate> Revisions() override {
    std::vector<Candidate> candidates = {{"head", "the one head"},
                                         {"heads", "every head"},
                                         {"base", "before the first revision"},
                                         {"current", "what the version table says"}};
    HistoryRequest request;
    request.set_database(session_.database);
    request.set_page_size(kMostRevisions);
    // So that the database, which may be slow or away, is not asked.
    request.add_from("base");
    HistoryResponse history;
    if (!Ask(&Connection::Migrations::History, request, history)) return candidates;
    for (const Revision& revision : history.revisions()) AddLabels(revision, candidates);
    for (const Revision& revision : history.revisions()) {
      candidates.push_back({revision.revision(), revision.message()});
    }
    return candidates;
  }

  std::vector<Candidate> Operations() override {
    ListOperationsRequest request;
    request.set_database(session_.database);
    request.set_page_size(kMostOperations);
    ListOperationsResponse response;
    std::vector<Candidate> candidates;
    if (!Ask(&Connection::Migrations::ListOperations, request, response)) return candidates;
    for (const Operation& operation : response.operations()) {
      candidates.push_back({operation.operation(), Describe(operation)});
    }
    return candidates;
  }

  std::vector<Candidate> Databases() override {
    // A server with one database names it; one with several says which there are.
    HistoryRequest request;
    request.set_page_size(1);
    request.add_from("base");
    HistoryResponse history;
    if (!may_ask_) return {};
    const auto error = session_.connection.Call(&Connection::Migrations::History, request, history);
    if (!error.has_value()) return {{history.database(), ""}};
    const auto names = error->metadata().find("databases");
    std::vector<Candidate> candidates;
    if (names == error->metadata().end()) return candidates;
    for (const auto& name : absl::StrSplit(names->second, ", ", absl::SkipEmpty())) {
      candidates.push_back({std::string(name), ""});
    }
    return candidates;
  }

 private:
  template <typename Method, typename Request, typename Response>
  bool Ask(Method method, const Request& request, Response& response) {
    return may_ask_ && !session_.connection.Call(method, request, response).has_value();
  }

  // The labels that the revision's own file gives, with the head of their branch.
  static void AddLabels(const Revision& revision, std::vector<Candidate>& candidates) {
    const int own = revision.branch_labels_size() - revision.inherited_branch_labels_size();
    for (int i = 0; i < own; ++i) {
      const std::string& label = revision.branch_labels(i);
      candidates.push_back({label, absl::StrCat("branch of ", revision.revision())});
      candidates.push_back({absl::StrCat(label, "@head"), absl::StrCat("head of branch ", label)});
    }
  }

  static std::string Describe(const Operation& operation) {
    std::string text = ActionName(operation.action());
    for (const std::string& target : operation.targets()) absl::StrAppend(&text, " ", target);
    return absl::StrCat(text, ", ", StateName(operation.state()));
  }

  Session& session_;
  const bool may_ask_;
};

const char* NameOf(FileNames files) {
  switch (files) {
    case FileNames::kFiles:
      return "files";
    case FileNames::kDirectories:
      return "directories";
    case FileNames::kNone:
      break;
  }
  return "words";
}

}  // namespace

ExitCode Run(const CompletionCommand& command, Session& session) {
  session.output.Raw(CompletionScript(command.shell));
  return ExitCode::kDone;
}

// The first line says what the shell is to add of its own; each further one has a word, a tab, and
// what the word is.
ExitCode Run(const CompleteCommand& command, Session& session) {
  ServerSource source(session, command.may_ask_server);
  const Completion completion = Complete(DescribeCommandLine(), command.words, source);
  std::string lines = absl::StrCat(NameOf(completion.files), "\n");
  for (const Candidate& candidate : completion.candidates) {
    absl::StrAppend(&lines, Escape(candidate.text), "\t", Escape(candidate.description), "\n");
  }
  session.output.Raw(lines);
  return ExitCode::kDone;
}

}  // namespace migctl
