#include "client/import/dbmate.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/import/marked_file.h"
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

class DbmateFile : public MarkedFile {
 public:
  DbmateFile(const PeerFile& file, std::vector<ImportProblem>& problems)
      : MarkedFile(file, problems, {"dbmate", "-- migrate:up"}) {}

 private:
  bool TakeMarker(absl::string_view text) override {
    const absl::optional<Marker> marker = MarkerOf(text);
    if (!marker.has_value()) return false;
    Part& part = marker->up ? up() : down();
    if (part.present) {
      AddProblem(line(), marker->up
                             ? "a second \"-- migrate:up\"; make a migration of its own of it"
                             : "a second \"-- migrate:down\"; join the two");
      return true;
    }
    if (!marker->up && !up().present) {
      AddProblem(line(), "\"-- migrate:down\" above \"-- migrate:up\"; put it below");
    }
    Begin(part);
    part.transactional = marker->transactional;
    return true;
  }
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
  DbmateFile(file, reading.problems).Read(imported);
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
