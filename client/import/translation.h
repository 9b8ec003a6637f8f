// From the revisions that a reader found to the migration files that are written, checked.
#pragma once

#include <string>
#include <vector>

#include "client/import/reading.h"

namespace migctl {

// A migration file that can be written.
struct NewMigration {
  std::string name;
  std::string text;
  std::string revision;
  // The peer's file.
  std::string source;
};

struct Translation {
  // In the order of the reading.
  std::vector<NewMigration> migrations;
  // The revisions that no other revises.
  std::vector<std::string> heads;
  // Those of the reading and those found here, all of them. With any, nothing must be written.
  std::vector<ImportProblem> problems;
};

// Makes the files and reads them back as the service will: what it would refuse, and what would
// come back different, is a problem of the peer's file. Pure; safe from any thread.
Translation Translate(const Reading& reading);

}  // namespace migctl
