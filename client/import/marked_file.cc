#include "client/import/marked_file.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "client/import/section.h"

namespace migctl {

void MarkedFile::Read(ImportedRevision& imported) {
  for (const absl::string_view line : LinesOf(WithoutByteOrderMark(file_.contents))) {
    ++line_;
    if (!TakeMarker(line)) TakeText(line);
  }
  if (!up_.present) {
    AddProblem(0,
               absl::StrCat("no \"", words_.up, "\"; ", words_.peer, " does not run such a file"));
    return;
  }
  Store(up_, imported.up);
  if (!down_.present) return;
  imported.down.emplace();
  Store(down_, *imported.down);
}

void MarkedFile::Begin(Part& part) {
  part_ = &part;
  part.present = true;
  part.line = line_ + 1;
  if (&part != &up_ || preamble_.empty()) return;
  part.sql = absl::StrCat(preamble_, "\n");
  part.line = 1;
}

void MarkedFile::TakeText(absl::string_view line) {
  if (part_ != nullptr) {
    absl::StrAppend(&part_->sql, line);
    return;
  }
  const absl::string_view text = absl::StripAsciiWhitespace(line);
  if (!text.empty() && !absl::StartsWith(text, "--")) {
    AddProblem(line_, absl::StrCat("SQL above \"", words_.up, "\"; ", words_.peer,
                                   " does not run such a file"));
  }
  absl::StrAppend(&preamble_, line);
}

void MarkedFile::AddProblem(int line, absl::string_view text) {
  problems_.push_back({file_.path, line, std::string(text)});
}

void MarkedFile::Store(const Part& part, ImportedSection& section) {
  absl::optional<ImportedSection> made =
      MakeSection(part.sql, file_.path, part.line,
                  part.transactional ? Surroundings::kTransaction : Surroundings::kNone, problems_);
  if (made.has_value()) section = *std::move(made);
}

}  // namespace migctl
