// A file whose lines are divided by markers into what goes up and what goes down, as dbmate and
// goose have them.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/import/reading.h"

namespace migctl {

// Reads one file line by line: a marker counts wherever its line stands. What stands above the
// first marker, comments, comes along with the section that goes up.
class MarkedFile {
 public:
  // The words of a peer for its errors: its name, and its markers as people write them.
  struct Words {
    absl::string_view peer;
    absl::string_view up;
  };

  // All of them must outlive the reader.
  MarkedFile(const PeerFile& file, std::vector<ImportProblem>& problems, Words words)
      : file_(file), problems_(problems), words_(words) {}
  virtual ~MarkedFile() = default;

  // Reads the sections into `imported`; called once.
  void Read(ImportedRevision& imported);

 protected:
  struct Part {
    bool present = false;
    bool transactional = true;
    int line = 1;  // of the first line of `sql`
    std::string sql;
  };

  // Takes a line that is a marker, or says that it is none.
  virtual bool TakeMarker(absl::string_view line) = 0;

  // What follows belongs to `part`, which is up() or down().
  void Begin(Part& part);
  void TakeText(absl::string_view line);
  void AddProblem(int line, absl::string_view text);

  Part& up() { return up_; }
  Part& down() { return down_; }
  // The section that the present line belongs to; null above the first marker.
  Part* part() { return part_; }
  // The number of the present line, from 1.
  int line() const { return line_; }

 private:
  void Store(const Part& part, ImportedSection& section);

  const PeerFile& file_;
  std::vector<ImportProblem>& problems_;
  const Words words_;
  int line_ = 0;
  std::string preamble_;
  Part up_;
  Part down_;
  Part* part_ = nullptr;
};

}  // namespace migctl
