// A migration file: a header in the words of Alembic, sections in the words of dbmate.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/revision/revision.h"
#include "service/script/statement.h"

namespace migd {

// One section, `-- migrate:up` or `-- migrate:down`.
struct Section {
  // The file has the section. A file without `-- migrate:down` cannot be downgraded; an empty
  // section can, and runs nothing.
  bool present = false;
  // False for `transaction:false`.
  bool transactional = true;
  // The line of the marker, from 1.
  int line = 0;
  std::vector<Statement> statements;
};

// SHA-256, in lower-case hex, over what runs: not comments between statements nor line ends. The
// bytes are, for `up` and then `down`, if present,
//     up|down " transaction:" true|false "\n"
// and for each of its statements
//     "statement " <length> "\n" <text> "\n"
// followed, if it has COPY data, by
//     "data " <length> "\n" <data> "\n"
// with every CR LF in a text or data replaced by LF, and lengths in bytes after that.
std::string ComputeChecksum(const Section& up, const Section& down);

// The same over the bytes of one statement.
std::string ComputeFingerprint(const Statement& statement);

// A well-formed migration file. Immutable, hence thread-safe; owns the text that its statements
// point into.
class MigrationFile {
 public:
  // Reads a file. `path` is relative to the migrations directory and is kept as is; its name is
  // `<revision>_<slug>.sql` or `<revision>.sql`. On failure every problem found, each as
  // "path:line: what is wrong; what to do", never empty.
  struct ParseResult {
    std::shared_ptr<const MigrationFile> file;  // null if there are problems
    std::vector<std::string> problems;
  };
  static ParseResult Parse(std::string path, std::string contents);

  const Revision& revision() const { return revision_; }
  const std::string& contents() const { return contents_; }
  const Section& up() const { return up_; }
  const Section& down() const { return down_; }
  // What runs, as ComputeChecksum has it.
  const std::string& checksum() const { return checksum_; }

 private:
  class Parser;

  MigrationFile() = default;

  Revision revision_;
  std::string contents_;
  Section up_;
  Section down_;
  std::string checksum_;
};

}  // namespace migd
