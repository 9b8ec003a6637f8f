// Comments in a migration file that allow what a rule finds.
#pragma once

#include <string>
#include <vector>

#include "service/script/migration_file.h"

namespace migd {

// `-- lint:allow RULE[, RULE ...] because REASON`, on a line above a statement or inside of it, for
// that statement; behind it on the line on which it ends, for the same; above the first marker, for
// the file.
struct Waiver {
  enum class Scope { kFile, kUp, kDown };
  Scope scope = Scope::kFile;
  // Which statement of the section, from 1; 0 if none follows.
  int statement_index = 0;
  // Where the comment is.
  int line = 0;
  int column = 0;
  std::vector<std::string> rules;
  std::string reason;
  // What is wrong with it; empty if nothing is. Unknown rules are not looked for.
  std::string problem;
};

// All waivers of a file, in the order of its lines. Costs nothing for a file without any.
std::vector<Waiver> ReadWaivers(const MigrationFile& file);

}  // namespace migd
