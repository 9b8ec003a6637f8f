// What the tests of `migctl import` share.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/import/reading.h"

namespace migctl {

// The SQL of a section without the space around it, behind "[no transaction] " if it says so.
inline std::string TextOf(const ImportedSection& section) {
  return absl::StrCat(section.text.transactional ? "" : "[no transaction] ",
                      absl::StripAsciiWhitespace(section.text.sql));
}

inline std::string DownOf(const ImportedRevision& revision) {
  return revision.down.has_value() ? TextOf(*revision.down) : "none";
}

// "id < parents: message", for each revision.
inline std::vector<std::string> RevisionsOf(const Reading& reading) {
  std::vector<std::string> lines;
  for (const ImportedRevision& imported : reading.revisions) {
    lines.push_back(absl::StrCat(imported.revision.id, " < ",
                                 absl::StrJoin(imported.revision.down_revisions, ", "), ": ",
                                 imported.revision.message));
  }
  return lines;
}

inline std::vector<std::string> ProblemsOf(const std::vector<ImportProblem>& problems) {
  std::vector<std::string> lines;
  for (const ImportProblem& problem : problems) lines.push_back(problem.ToString());
  return lines;
}

}  // namespace migctl
