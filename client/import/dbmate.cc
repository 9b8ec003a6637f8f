#include "client/import/dbmate.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/import/section.h"
#include "client/import/versions.h"

namespace migctl {
namespace {

// A line `-- migrate:up` or `-- migrate:down`, with its options.
struct Marker {
  bool up = true;
  bool transactional = true;
};

absl::optional<Marker> MarkerOf(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, "--")) return absl::nullopt;
  line = absl::StripAsciiWhitespace(line);
  Marker marker;
  if (absl::ConsumePrefix(&line, "migrate:down")) {
    marker.up = false;
  } else if (!absl::ConsumePrefix(&line, "migrate:up")) {
    return absl::nullopt;
  }
  if (!line.empty() && !absl::ascii_isspace(static_cast<unsigned char>(line.front()))) {
    return absl::nullopt;
  }
  // The only option that dbmate knows; it passes over others.
  for (const absl::string_view option : absl::StrSplit(line, ' ', absl::SkipWhitespace())) {
    if (option == "transaction:false") marker.transactional = false;
  }
  return marker;
}

// Reads one file.
class FileReader {
 public:
  FileReader(const PeerFile& file, std::vector<ImportProblem>& problems)
      : file_(file), problems_(problems) {}

  void Read(ImportedRevision& imported) {
    for (const absl::string_view line : LinesOf(WithoutByteOrderMark(file_.contents))) {
      ++line_;
      const absl::optional<Marker> marker = MarkerOf(line);
      if (marker.has_value()) {
        TakeMarker(*marker);
      } else {
        TakeText(line);
      }
    }
    if (!up_.present) {
      AddProblem(0, "no \"-- migrate:up\"; dbmate does not run such a file");
      return;
    }
    Store(up_, imported.up);
    if (!down_.present) return;
    imported.down.emplace();
    Store(down_, *imported.down);
  }

 private:
  struct Part {
    bool present = false;
    bool transactional = true;
    int line = 1;  // of the first line of `sql`
    std::string sql;
  };

  void AddProblem(int line, absl::string_view text) {
    problems_.push_back({file_.path, line, std::string(text)});
  }

  void TakeMarker(const Marker& marker) {
    Part& part = marker.up ? up_ : down_;
    if (part.present) {
      AddProblem(line_, marker.up ? "a second \"-- migrate:up\"; make a migration of its own of it"
                                  : "a second \"-- migrate:down\"; join the two");
      return;
    }
    if (!marker.up && !up_.present) {
      AddProblem(line_, "\"-- migrate:down\" above \"-- migrate:up\"; put it below");
    }
    part.present = true;
    part.transactional = marker.transactional;
    part.line = line_ + 1;
    part_ = &part;
    if (!marker.up || preamble_.empty()) return;
    // What stands above the first marker, comments, comes along.
    part.sql = absl::StrCat(preamble_, "\n");
    part.line = 1;
  }

  void TakeText(absl::string_view line) {
    if (part_ != nullptr) {
      absl::StrAppend(&part_->sql, line);
      return;
    }
    const absl::string_view text = absl::StripAsciiWhitespace(line);
    if (!text.empty() && !absl::StartsWith(text, "--")) {
      AddProblem(line_, "SQL above \"-- migrate:up\"; dbmate does not run such a file");
    }
    absl::StrAppend(&preamble_, line);
  }

  void Store(const Part& part, ImportedSection& section) {
    absl::optional<ImportedSection> made = MakeSection(
        part.sql, file_.path, part.line,
        part.transactional ? Surroundings::kTransaction : Surroundings::kNone, problems_);
    if (made.has_value()) section = *std::move(made);
  }

  const PeerFile& file_;
  std::vector<ImportProblem>& problems_;
  int line_ = 0;
  std::string preamble_;
  Part up_;
  Part down_;
  Part* part_ = nullptr;
};

void ReadFile(const PeerFile& file, Reading& reading) {
  absl::string_view rest = file.path;
  if (!absl::ConsumeSuffix(&rest, ".sql")) return;
  const size_t digits = rest.find_first_not_of("0123456789");
  const absl::string_view version = rest.substr(0, digits);
  if (version.empty()) {
    reading.notes.push_back(
        absl::StrCat(file.path, " is left out, as dbmate does: its name begins with no version"));
    return;
  }
  rest.remove_prefix(version.size());
  ImportedRevision imported;
  imported.source = file.path;
  imported.revision = RevisionOf(version, absl::StripPrefix(rest, "-"));
  FileReader(file, reading.problems).Read(imported);
  reading.revisions.push_back(std::move(imported));
}

// The order of file names, in which an underscore follows the version.
bool ComesBefore(absl::string_view a, absl::string_view b) {
  return absl::StrCat(a, "_") < absl::StrCat(b, "_");
}

}  // namespace

Reading ReadDbmate(const std::vector<PeerFile>& files) {
  Reading reading;
  for (const PeerFile& file : files) ReadFile(file, reading);
  LinkInOrder(reading, ComesBefore);
  reading.version_table = "schema_migrations";
  NoteMissingDowns(reading, "no \"-- migrate:down\"");
  return reading;
}

}  // namespace migctl
