#include "service/script/new_revision.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/random/distributions.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "service/base/errors.h"
#include "service/revision/lineage.h"
#include "service/revision/names.h"
#include "service/revision/symbol.h"
#include "service/revision/symbol_resolution.h"
#include "service/script/migration_text.h"

namespace migd {
namespace {

// Of a revision that cannot be downgraded, above its sections.
constexpr char kNoWayBack[] =
    "\n-- lint:allow missing-down because the database was there before this revision\n";

using Indices = std::vector<RevisionIndex>;

// "a", "a and b", "a, b and c".
std::string Enumerate(const std::vector<std::string>& names) {
  if (names.size() < 2) return absl::StrJoin(names, "");
  return absl::StrCat(absl::StrJoin(absl::MakeSpan(names).first(names.size() - 1), ", "), " and ",
                      names.back());
}

// Resolves what has nothing to do with a database.
absl::StatusOr<Indices> ResolveInFiles(const RevisionGraph& graph, const std::string& text) {
  const auto symbol = RevisionSymbol::Parse(text);
  if (!symbol.ok()) return symbol.status();
  if (symbol->needs_rows()) {
    return errors::InvalidSymbol(text, "a new revision stands among the files, not in a database");
  }
  return ResolveSymbols(graph, {}, *symbol);
}

class Composer {
 public:
  Composer(const ScriptSet& scripts, NewRevision wanted, absl::Time now, absl::BitGenRef random)
      : scripts_(scripts),
        graph_(scripts.graph()),
        wanted_(std::move(wanted)),
        now_(now),
        random_(random) {}

  absl::StatusOr<ComposedRevision> Compose() {
    absl::Status status = ResolveHeads();
    if (status.ok()) status = CheckHeads();
    if (status.ok()) status = ResolveDependencies();
    if (status.ok()) status = CheckMessage();
    if (status.ok()) status = ChooseId();
    if (status.ok()) status = CheckLabels();
    if (!status.ok()) return status;
    revision_.down_revisions = Ids(graph_, heads_);
    revision_.branch_labels = wanted_.branch_labels;
    // Whole seconds, as the header shows it.
    revision_.create_time = absl::FromUnixSeconds(absl::ToUnixSeconds(now_));
    return Join();
  }

 private:
  absl::Status ResolveHeads() {
    if (wanted_.heads.empty() && wanted_.merge) {
      return errors::InvalidRequest("heads", "name the revisions to merge, or `heads` for all");
    }
    if (wanted_.heads.empty()) wanted_.heads = {"head"};
    for (const std::string& symbol : wanted_.heads) {
      const auto resolved = ResolveInFiles(graph_, symbol);
      if (!resolved.ok()) return resolved.status();
      if (resolved->empty() && wanted_.heads.size() > 1) {
        return errors::InvalidRequest("heads", "base goes with no other revision");
      }
      heads_.insert(heads_.end(), resolved->begin(), resolved->end());
    }
    return absl::OkStatus();
  }

  absl::Status CheckHeads() const {
    if (wanted_.merge && heads_.size() < 2) {
      const std::string named = heads_.empty() ? "there is none" : "there is only one, ";
      return errors::InvalidRequest(
          "heads", absl::StrCat("nothing to merge: a merge takes two revisions or more, ", named,
                                absl::StrJoin(Ids(graph_, heads_), "")));
    }
    RevisionSet below(graph_);
    for (const RevisionIndex head : heads_) {
      if (!below.insert(head)) {
        return errors::InvalidRequest(
            "heads", absl::StrCat(graph_.revision(head).id, " is named twice; name it once"));
      }
      if (!wanted_.splice && !graph_.children(head).empty()) {
        return errors::NotAHead(graph_.revision(head).id, Ids(graph_, graph_.children(head)));
      }
    }
    return CheckOverlap();
  }

  // Only by down_revision: to merge a head with one that depends on it is what Alembic does too.
  absl::Status CheckOverlap() const {
    Indices parents;
    for (const RevisionIndex head : heads_) {
      parents.insert(parents.end(), graph_.parents(head).begin(), graph_.parents(head).end());
    }
    const Indices covered =
        Intersection(heads_, Ancestors(graph_, parents, Follow::kDownRevisions));
    if (covered.empty()) return absl::OkStatus();
    Indices above = heads_;
    above.erase(std::remove(above.begin(), above.end(), covered.front()), above.end());
    return errors::OverlappingRevisions(graph_.revision(covered.front()).id, Ids(graph_, above));
  }

  absl::Status ResolveDependencies() {
    for (const std::string& symbol : wanted_.depends_on) {
      const auto resolved = ResolveInFiles(graph_, symbol);
      if (!resolved.ok()) return resolved.status();
      if (resolved->size() != 1) {
        return errors::InvalidRequest(
            "depends_on",
            absl::StrCat("\"", absl::Utf8SafeCHexEscape(symbol), "\" names ",
                         resolved->empty() ? "no revision" : "several revisions", "; name one"));
      }
      // A label goes on meaning whatever file has it.
      const std::string& id = graph_.revision(resolved->front()).id;
      revision_.depends_on.push_back(graph_.FindLabel(symbol) ? symbol : id);
    }
    return absl::OkStatus();
  }

  absl::Status CheckMessage() {
    wanted_.message = std::string(absl::StripAsciiWhitespace(wanted_.message));
    if (wanted_.message.empty() && heads_.size() > 1) {
      wanted_.message = absl::StrCat("merge ", Enumerate(Ids(graph_, heads_)));
    }
    if (wanted_.message.empty()) {
      return errors::InvalidRequest("message", "is empty; say what the revision does");
    }
    if (wanted_.message.find_first_of("\r\n") != std::string::npos) {
      return errors::InvalidRequest("message", "has several lines; write one");
    }
    if (std::any_of(wanted_.message.begin(), wanted_.message.end(),
                    [](unsigned char c) { return absl::ascii_iscntrl(c); })) {
      return errors::InvalidRequest(
          "message", absl::StrCat("\"", absl::Utf8SafeCHexEscape(wanted_.message),
                                  "\" has a control character in it; write it without"));
    }
    revision_.message = wanted_.message;
    return absl::OkStatus();
  }

  absl::Status ChooseId() {
    revision_.id = wanted_.id;
    while (revision_.id.empty()) {
      const auto digits = absl::Uniform<uint64_t>(random_, 0, uint64_t{1} << 48);
      const std::string id = absl::StrFormat("%012x", digits);
      if (!graph_.Find(id) && !graph_.FindLabel(id)) revision_.id = id;
    }
    const std::string problem = RevisionIdProblem(revision_.id);
    if (!problem.empty()) {
      return errors::InvalidRequest(
          "revision", absl::StrCat("\"", absl::Utf8SafeCHexEscape(revision_.id), "\" ", problem));
    }
    if (const auto taken = graph_.Find(revision_.id)) {
      return errors::RevisionExists(revision_.id, graph_.revision(*taken).path);
    }
    if (const auto taken = graph_.FindLabel(revision_.id)) {
      return errors::LabelExists(revision_.id, graph_.revision(*taken).path);
    }
    return absl::OkStatus();
  }

  absl::Status CheckLabels() const {
    std::vector<std::string> seen = {revision_.id};
    for (const std::string& label : wanted_.branch_labels) {
      const std::string problem = BranchLabelProblem(label);
      if (!problem.empty()) {
        return errors::InvalidRequest(
            "branch_labels", absl::StrCat("\"", absl::Utf8SafeCHexEscape(label), "\" ", problem));
      }
      auto taken = graph_.FindLabel(label);
      if (!taken) taken = graph_.Find(label);
      if (taken) return errors::LabelExists(label, graph_.revision(*taken).path);
      if (std::find(seen.begin(), seen.end(), label) != seen.end()) {
        return errors::InvalidRequest("branch_labels",
                                      absl::StrCat(label, " is named twice, or is the id itself"));
      }
      seen.push_back(label);
    }
    return absl::OkStatus();
  }

  // Reads the file back, and joins it to the files that there are.
  absl::StatusOr<ComposedRevision> Join() {
    revision_.path = MigrationFileName(revision_.id, revision_.message);
    absl::optional<SectionText> down;
    if (!wanted_.irreversible) down.emplace();
    std::string text = MigrationText(revision_, {true, wanted_.up_sql}, down);
    // Lint would ask for what cannot be.
    if (wanted_.irreversible) text.insert(text.find("\n-- migrate:up"), kNoWayBack);
    MigrationFile::ParseResult parsed = MigrationFile::Parse(revision_.path, std::move(text));
    if (!wanted_.up_sql.empty() && !parsed.problems.empty()) {
      return errors::InvalidMigrations(revision_.path, parsed.problems);
    }
    if (parsed.file == nullptr || parsed.file->revision().message != revision_.message ||
        parsed.file->revision().down_revisions != revision_.down_revisions) {
      return errors::InvalidRequest("message",
                                    absl::StrCat("\"", absl::Utf8SafeCHexEscape(revision_.message),
                                                 "\" would not be read back as the message of the "
                                                 "file; write it in other words"));
    }
    std::vector<Revision> revisions = {revision_};
    std::vector<std::shared_ptr<const MigrationFile>> files = {std::move(parsed.file)};
    for (RevisionIndex i = 0; i < graph_.size(); ++i) {
      revisions.push_back(graph_.revision(i));
      files.push_back(scripts_.shared_file(i));
    }
    auto graph = RevisionGraph::Create(std::move(revisions));
    if (!graph.ok()) return graph.status();
    const RevisionIndex index = *graph->Find(revision_.id);
    return ComposedRevision{ScriptSet(*std::move(graph), std::move(files)), index};
  }

  const ScriptSet& scripts_;
  const RevisionGraph& graph_;
  NewRevision wanted_;
  const absl::Time now_;
  absl::BitGenRef random_;
  Indices heads_;
  Revision revision_;
};

}  // namespace

absl::StatusOr<ComposedRevision> ComposeRevision(const ScriptSet& scripts, NewRevision wanted,
                                                 absl::Time now, absl::BitGenRef random) {
  return Composer(scripts, std::move(wanted), now, random).Compose();
}

}  // namespace migd
