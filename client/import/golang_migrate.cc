#include "client/import/golang_migrate.h"

#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/import/section.h"
#include "client/import/versions.h"

namespace migctl {
namespace {

// The name of a migration, taken apart.
struct Name {
  absl::string_view version;
  absl::string_view title;
  bool up = true;
};

absl::optional<Name> ParseName(absl::string_view path) {
  Name name;
  if (!absl::ConsumeSuffix(&path, ".sql")) return absl::nullopt;
  name.up = absl::ConsumeSuffix(&path, ".up");
  if (!name.up && !absl::ConsumeSuffix(&path, ".down")) return absl::nullopt;
  const size_t digits = path.find_first_not_of("0123456789");
  if (digits == 0 || digits == absl::string_view::npos || path[digits] != '_') return absl::nullopt;
  name.version = path.substr(0, digits);
  name.title = path.substr(digits + 1);
  return name;
}

// What a version has.
struct Pair {
  const PeerFile* up = nullptr;
  const PeerFile* down = nullptr;
};

struct Less {
  bool operator()(absl::string_view a, absl::string_view b) const { return VersionLess(a, b); }
};

class Reader {
 public:
  Reading Read(const std::vector<PeerFile>& files) {
    for (const PeerFile& file : files) Sort(file);
    for (const auto& [version, pair] : pairs_) Add(pair);
    LinkInOrder(reading_, VersionLess);
    reading_.version_table = "schema_migrations";
    NoteMissingDowns(reading_, "no .down.sql file");
    return std::move(reading_);
  }

 private:
  void AddProblem(const PeerFile& file, absl::string_view text) {
    reading_.problems.push_back({file.path, 0, std::string(text)});
  }

  void Sort(const PeerFile& file) {
    const absl::optional<Name> name = ParseName(file.path);
    if (!name.has_value()) {
      if (!absl::EndsWith(file.path, ".sql")) return;
      reading_.notes.push_back(
          absl::StrCat(file.path, " is left out, as golang-migrate does: its name is not ",
                       "<version>_<title>.up.sql or .down.sql"));
      return;
    }
    Pair& pair = pairs_[name->version];
    const PeerFile*& place = name->up ? pair.up : pair.down;
    if (place == nullptr) {
      place = &file;
    } else {
      AddProblem(file, absl::StrCat("has the same version as ", place->path,
                                    "; only one of them can be it"));
    }
  }

  void Add(const Pair& pair) {
    if (pair.up == nullptr) {
      AddProblem(*pair.down,
                 "there is no .up.sql file of this version; add it, or leave this one "
                 "out with --skip");
      return;
    }
    const Name name = *ParseName(pair.up->path);
    ImportedRevision imported;
    imported.source = pair.up->path;
    imported.revision = RevisionOf(name.version, name.title);
    absl::optional<ImportedSection> up = ReadScript(*pair.up);
    if (up.has_value()) imported.up = *std::move(up);
    if (pair.down != nullptr) imported.down = ReadScript(*pair.down);
    reading_.revisions.push_back(std::move(imported));
  }

  absl::optional<ImportedSection> ReadScript(const PeerFile& file) {
    const absl::string_view sql = WithoutByteOrderMark(file.contents);
    return MakeSection(sql, file.path, 1,
                       RefusesTransaction(sql) ? Surroundings::kNone : Surroundings::kTransactions,
                       reading_.problems);
  }

  std::map<absl::string_view, Pair, Less> pairs_;
  Reading reading_;
};

}  // namespace

Reading ReadGolangMigrate(const std::vector<PeerFile>& files) { return Reader().Read(files); }

}  // namespace migctl
