// What a reader of another tool's migrations makes of them: revisions, or what keeps them from
// being that.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "service/base/utf8.h"
#include "service/revision/revision.h"
#include "service/script/migration_text.h"

namespace migctl {

// A file of the other tool (the peer).
struct PeerFile {
  // Relative to the directory that is imported.
  std::string path;
  // Empty for files that are known by their names only: all but *.sql and *.conf.
  std::string contents;
};

// What cannot be translated, and where.
struct ImportProblem {
  std::string file;
  // From 1; 0 for the file as a whole.
  int line = 0;
  // What is wrong, and after a semicolon what to do.
  std::string text;

  // "file:line: text", "file: text" or, of no file, "text"; valid UTF-8 whatever the file holds.
  std::string ToString() const {
    return migd::ToValidUtf8(absl::StrCat(file, line > 0 ? absl::StrCat(":", line) : "",
                                          file.empty() ? "" : ": ", text));
  }
};

// The SQL of one section.
struct ImportedSection {
  migd::SectionText text;
  // Where the peer has it: its file, and the line of it on which `text.sql` begins; 0 if the two do
  // not correspond line by line.
  std::string file;
  int line = 0;
};

// One revision. The path of `revision` is not used: its file gets its name from id and message.
struct ImportedRevision {
  // The peer's file.
  std::string source;
  migd::Revision revision;
  ImportedSection up;
  absl::optional<ImportedSection> down;
};

// All that a reader found. With problems the revisions are those that could be read.
struct Reading {
  // Oldest first.
  std::vector<ImportedRevision> revisions;
  std::vector<ImportProblem> problems;
  // The table in which the peer keeps what it has applied; empty if it is ours too. A migration
  // that names it cannot be translated: a database of ours does not have it.
  std::string version_table;
  // What somebody should know of a translation that is good: whole sentences without a full stop.
  std::vector<std::string> notes;
};

}  // namespace migctl
