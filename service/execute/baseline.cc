#include "service/execute/baseline.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/execute/replay.h"
#include "service/execute/verify.h"

namespace migd {
namespace {

using Lines = std::vector<absl::string_view>;

// What pg_dump sets for whoever restores, and what an operation knows better.
bool IsLeftOut(absl::string_view line) {
  static constexpr std::array<absl::string_view, 8> kSettings = {
      "statement_timeout",
      "lock_timeout",
      "idle_in_transaction_session_timeout",
      "transaction_timeout",
      "client_encoding",
      "client_min_messages",
      "row_security",
      "standard_conforming_strings"};
  if (!absl::ConsumePrefix(&line, "SET ")) return absl::StartsWith(line, "--");
  return std::any_of(kSettings.begin(), kSettings.end(), [&](absl::string_view setting) {
    return absl::StartsWith(line, absl::StrCat(setting, " = "));
  });
}

// psql's own commands around the statements, since the minor versions of August 2025.
void RemoveRestriction(Lines& lines) {
  const auto restrict = std::find_if(lines.begin(), lines.end(), [](absl::string_view line) {
    return absl::StartsWith(line, "\\restrict ");
  });
  if (restrict == lines.end()) return;
  const std::string end = absl::StrCat("\\un", restrict->substr(1));
  lines.erase(restrict);
  const auto unrestrict = std::find(lines.rbegin(), lines.rend(), end);
  if (unrestrict != lines.rend()) lines.erase(std::next(unrestrict).base());
}

// The first object's comment, `-- Name: ...` behind an empty comment; what stands before is the
// preamble.
size_t EndOfPreamble(const Lines& lines) {
  const auto name = std::find_if(lines.begin(), lines.end(), [](absl::string_view line) {
    return absl::StartsWith(line, "-- Name: ");
  });
  if (name == lines.end()) return lines.size();
  return static_cast<size_t>(name - lines.begin()) - (name == lines.begin() ? 0 : 1);
}

void RemoveEnd(Lines& lines) {
  const auto end = std::find(lines.rbegin(), lines.rend(), "-- PostgreSQL database dump complete");
  if (end == lines.rend()) return;
  lines.erase(std::next(end).base() - (std::next(end) != lines.rend() ? 1 : 0), lines.end());
}

// The name in `CREATE MATERIALIZED VIEW name AS`, or nothing.
absl::string_view MaterializedView(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, "CREATE MATERIALIZED VIEW ")) return "";
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') quoted = !quoted;
    if (line[i] == ' ' && !quoted) return line.substr(0, i);
  }
  return line;
}

std::set<std::string> UnpopulatedViews(const Schema& schema) {
  std::set<std::string> views;
  for (const auto& [key, object] : schema) {
    if (object.attributes.count("populated") > 0) views.insert(key.second);
  }
  return views;
}

}  // namespace

std::string BaselineSql(absl::string_view dump, const std::set<std::string>& unpopulated) {
  Lines lines = absl::StrSplit(dump, '\n');
  RemoveRestriction(lines);
  RemoveEnd(lines);
  const size_t preamble = EndOfPreamble(lines);
  std::vector<std::string> kept;
  bool fills = false;
  for (size_t i = 0; i < lines.size(); ++i) {
    const absl::string_view line = lines[i];
    if (i < preamble && (line.empty() || IsLeftOut(line))) continue;
    if (i == preamble && !kept.empty()) kept.emplace_back();
    const absl::string_view view = MaterializedView(line);
    if (!view.empty()) fills = unpopulated.count(std::string(view)) == 0;
    if (fills && line == "  WITH NO DATA;") {
      absl::StrAppend(&kept.back(), ";");
      fills = false;
    } else {
      kept.emplace_back(line);
    }
  }
  while (!kept.empty() && kept.back().empty()) kept.pop_back();
  return kept.empty() ? "" : absl::StrCat(absl::StrJoin(kept, "\n"), "\n");
}

absl::StatusOr<Baseline> ComposeBaseline(Workspace& workspace, NewRevision wanted,
                                         Cancellation& cancellation) {
  const auto scripts = workspace.scripts->Load();
  if (!scripts.ok()) return scripts.status();
  if ((*scripts)->graph().size() > 0) {
    return errors::InvalidRequest(
        "database",
        absl::StrCat("there are migration files for it already (", (*scripts)->graph().size(),
                     " in ", workspace.scripts->path(), "), and a baseline is the first"));
  }
  // What is wrong with the request is known before anything takes time.
  absl::BitGen random;
  wanted.irreversible = true;
  const auto checked = ComposeRevision(**scripts, wanted, absl::Now(), random);
  if (!checked.ok()) return checked.status();
  if (workspace.database == nullptr || workspace.scratch == nullptr) return errors::Offline();

  auto live = ReadLiveSchema(*workspace.database);
  if (!live.ok()) return live.status();
  const auto dump = workspace.scratch->DumpSchema();
  if (!dump.ok()) return dump.status();
  wanted.id = checked->scripts.graph().revision(checked->index).id;
  wanted.up_sql = BaselineSql(*dump, UnpopulatedViews(live->schema));
  auto composed = ComposeRevision(**scripts, wanted, absl::Now(), random);
  if (!composed.ok()) return composed.status();

  auto replayed =
      ReplaySchema(workspace.scratch.get(), composed->scripts, {wanted.id}, cancellation);
  if (!replayed.ok()) return replayed.status();
  const auto comparison = CompareInScope(std::move(replayed->schema), std::move(live->schema),
                                         {{}, workspace.policy()->verify_ignore});
  if (!comparison.ok()) return comparison.status();
  if (!comparison->differences.empty()) {
    return errors::SchemaDiffers(workspace.name, "the file that pg_dump gives",
                                 comparison->differences);
  }
  return Baseline{*std::move(composed), comparison->object_count};
}

}  // namespace migd
