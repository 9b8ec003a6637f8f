#include "service/rpc/check_query.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "service/base/errors.h"
#include "service/execute/checksums.h"
#include "service/execute/lint_gate.h"
#include "service/revision/lineage.h"

namespace migd {
namespace {

using migration::v1::CheckRequest;
using migration::v1::CheckResult;
using migration::v1::Finding;

std::string Count(size_t count, absl::string_view one, absl::string_view many) {
  return absl::StrCat(count, " ", count == 1 ? one : many);
}

std::string Revisions(size_t count) { return Count(count, "revision", "revisions"); }

// The lines of an error in several lines, the first of which is about all of them.
std::vector<std::string> ProblemsOf(const absl::Status& status) {
  std::vector<std::string> lines = absl::StrSplit(std::string(status.message()), '\n');
  lines.erase(lines.begin());
  for (std::string& line : lines) line = std::string(absl::StripLeadingAsciiWhitespace(line));
  return lines;
}

// What the questions need, as far as it is there.
class Checks {
 public:
  Checks(Workspace& workspace, const CheckRequest& request,
         google::protobuf::RepeatedPtrField<CheckResult>& results)
      : workspace_(workspace), request_(request), results_(results) {}

  void Ask() {
    AskFiles();
    AskHeads();
    AskDatabase();
    AskChecksums();
    AskLint();
    AskPending();
  }

 private:
  CheckResult& Add(absl::string_view name, CheckResult::Outcome outcome,
                   absl::string_view message) {
    CheckResult& result = *results_.Add();
    result.set_name(std::string(name));
    result.set_outcome(outcome);
    result.set_message(std::string(message));
    return result;
  }
  void Pass(absl::string_view name, absl::string_view message) {
    Add(name, CheckResult::OUTCOME_OK, message);
  }
  CheckResult& Fail(absl::string_view name, absl::string_view message, absl::string_view hint) {
    CheckResult& result = Add(name, CheckResult::OUTCOME_FAILED, message);
    result.set_hint(std::string(hint));
    return result;
  }
  void Fail(absl::string_view name, const absl::Status& status) {
    Fail(name, status.message(), errors::ToProto(status).hint());
  }
  void Skip(absl::string_view name, absl::string_view why) {
    Add(name, CheckResult::OUTCOME_SKIPPED, why);
  }

  // The files each by itself, then what they are together.
  void AskFiles() {
    const auto count = workspace_.scripts->CountFiles();
    if (!count.ok() || *count == 0) {
      if (!count.ok()) {
        Fail("files", count.status());
      } else {
        Fail("files", absl::StrCat("there are none in ", workspace_.scripts->path()),
             "start migd with the directory that has them (--migrations DIR), or write the first: "
             "migctl revision -m TEXT");
      }
      return Skip("revisions", "there are no files");
    }
    const auto scripts = workspace_.scripts->Load();
    const std::vector<std::string> problems = workspace_.scripts->FileProblems();
    if (!problems.empty()) {
      CheckResult& result =
          Fail("files", Count(problems.size(), "problem", "problems"), "correct the files");
      result.mutable_details()->Add(problems.begin(), problems.end());
      Skip("revisions", "the files cannot be read");
      return;
    }
    if (scripts.ok()) {
      scripts_ = *scripts;
      Pass("files",
           absl::StrCat(Count(scripts_->graph().size(), "file", "files"), ", all well-formed"));
      Pass("revisions", "ids and labels are unique, and all that is named is there");
      return;
    }
    const std::vector<std::string> together = ProblemsOf(scripts.status());
    if (together.empty()) {
      Fail("files", scripts.status());
      Skip("revisions", "the files cannot be read");
      return;
    }
    Pass("files", "all well-formed");
    CheckResult& result =
        Fail("revisions", Count(together.size(), "problem", "problems"), "correct the files");
    result.mutable_details()->Add(together.begin(), together.end());
  }

  void AskHeads() {
    if (scripts_ == nullptr) return Skip("heads", "the revisions are not known");
    std::set<std::string> heads;
    for (const RevisionIndex head : scripts_->graph().heads()) {
      heads.insert(scripts_->graph().revision(head).id);
    }
    const std::set<std::string> wanted(request_.heads().begin(), request_.heads().end());
    const std::string listed = heads.empty() ? "no revisions" : absl::StrJoin(heads, ", ");
    if (wanted.empty() ? heads.size() <= 1 : heads == wanted) return Pass("heads", listed);
    if (wanted.empty()) {
      Fail(
          "heads", absl::StrCat(heads.size(), " heads: ", listed),
          "merge them (migctl merge -m TEXT heads), or name those that there are to be: --head ID");
      return;
    }
    Fail("heads",
         absl::StrCat("the heads are ", listed, ", and are to be ", absl::StrJoin(wanted, ", ")),
         "a revision was added or a branch is missing: correct the files, or what is expected");
  }

  void AskDatabase() {
    if (workspace_.database == nullptr) return Skip("database", "the server has none (--offline)");
    const auto rows = workspace_.database->ReadRows();
    if (!rows.ok()) return Fail("database", rows.status());
    has_rows_ = true;
    rows_ = *rows;
    if (scripts_ == nullptr) return Skip("database", "the revisions are not known");
    std::vector<std::string> unknown;
    for (const std::string& row : rows_) {
      if (!scripts_->graph().Find(row)) unknown.push_back(row);
    }
    if (!unknown.empty()) return Fail("database", errors::DatabaseAhead(unknown));
    Pass("database", rows_.empty() ? "at base" : absl::StrCat("at ", absl::StrJoin(rows_, ", ")));
  }

  void AskChecksums() {
    if (!can_compare()) return Skip("checksums", "what is applied is not known");
    const auto checksums = workspace_.database->ReadChecksums();
    if (!checksums.ok()) return Fail("checksums", checksums.status());
    const auto changed = FindChangedFiles(*scripts_, rows_, *checksums);
    if (changed.empty()) {
      return Pass("checksums", "no file has changed since it was applied");
    }
    CheckResult& result = Fail(
        "checksums",
        absl::StrCat(Count(changed.size(), "file has", "files have"),
                     " changed after being applied"),
        "put the files back and write the changes as new revisions; or accept a file as it is: "
        "migctl upgrade heads --accept-checksum REVISION");
    for (const ChangedFile& file : changed) {
      result.add_details(absl::StrCat(file.path, ": applied with checksum ", file.applied_checksum,
                                      ", now ", file.file_checksum));
    }
  }

  // Of the revisions that an upgrade would run; of all, if that is not known.
  void AskLint() {
    migration::v1::LintGate gate = request_.lint();
    if (gate == migration::v1::LINT_GATE_UNSPECIFIED) gate = workspace_.policy()->lint_gate;
    if (gate == migration::v1::LINT_GATE_OFF) return Skip("lint", "it is off");
    if (scripts_ == nullptr) return Skip("lint", "the revisions are not known");
    const std::vector<RevisionIndex> revisions = Pending();
    std::vector<LintedSection> sections;
    for (const RevisionIndex index : revisions) sections.push_back({&scripts_->file(index)});
    std::vector<Finding> errors;
    int warnings = 0;
    LintOutcome outcome = LintSections(sections, workspace_.policy()->lint_severities,
                                       can_compare() ? workspace_.database.get() : nullptr);
    for (Finding& finding : outcome.findings) {
      if (finding.severity() != migration::v1::SEVERITY_ERROR) {
        ++warnings;
      } else {
        errors.push_back(std::move(finding));
      }
    }
    const std::string found =
        absl::StrCat(Count(errors.size(), "error", "errors"), " and ",
                     Count(warnings, "warning", "warnings"), " in ", Revisions(revisions.size()));
    if (errors.empty() || gate == migration::v1::LINT_GATE_WARN) return Pass("lint", found);
    CheckResult& result = Fail("lint", found, "migctl lint shows each, and what to write instead");
    for (const Finding& finding : errors) {
      result.add_details(absl::StrCat(finding.path(), ":", finding.line(), ":", finding.column(),
                                      ": ", finding.message(), " (", finding.rule(), ")"));
    }
  }

  void AskPending() {
    if (!can_compare()) return Skip("pending", "what is applied is not known");
    std::vector<std::string> pending;
    for (const RevisionIndex index : Pending()) {
      pending.push_back(scripts_->graph().revision(index).id);
    }
    if (pending.empty()) return Pass("pending", "none");
    const std::string message =
        absl::StrCat(Revisions(pending.size()), pending.size() == 1 ? " is" : " are", " pending");
    CheckResult& result = request_.allow_pending()
                              ? Add("pending", CheckResult::OUTCOME_OK, message)
                              : Fail("pending", message, "migctl upgrade heads");
    result.mutable_details()->Add(pending.begin(), pending.end());
  }

  bool can_compare() const { return scripts_ != nullptr && has_rows_; }

  // The revisions that are not applied, in the order of an upgrade; all if no row is known.
  std::vector<RevisionIndex> Pending() const {
    const RevisionGraph& graph = scripts_->graph();
    const RevisionSet applied = AppliedBy(graph, rows_);
    std::vector<RevisionIndex> pending;
    for (const RevisionIndex index : graph.newest_first()) {
      if (!applied.contains(index)) pending.push_back(index);
    }
    std::reverse(pending.begin(), pending.end());
    return pending;
  }

  Workspace& workspace_;
  const CheckRequest& request_;
  google::protobuf::RepeatedPtrField<CheckResult>& results_;
  // Null if they cannot be read.
  std::shared_ptr<const ScriptSet> scripts_;
  bool has_rows_ = false;
  VersionRows rows_;
};

}  // namespace

absl::Status AnswerCheck(const Catalog& catalog, const CheckRequest& request,
                         migration::v1::CheckResponse& response) {
  const auto workspace = catalog.Find(request.database());
  if (!workspace.ok()) return workspace.status();
  Checks(**workspace, request, *response.mutable_results()).Ask();
  response.set_database((*workspace)->name);
  response.set_passed(std::none_of(
      response.results().begin(), response.results().end(),
      [](const CheckResult& result) { return result.outcome() == CheckResult::OUTCOME_FAILED; }));
  return absl::OkStatus();
}

}  // namespace migd
