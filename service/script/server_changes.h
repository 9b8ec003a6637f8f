// Statements that change more than the database in which they run.
#pragma once

#include <set>
#include <string>

#include "absl/strings/string_view.h"

namespace migd {

// What some statements change of the whole server, which all of its databases share: roles,
// databases, tablespaces, settings.
struct ServerChanges {
  // The words of the first such change, such as "CREATE ROLE"; empty if there is none.
  std::string words;
  // The roles that statements of their own make, by their names.
  std::set<std::string> made_roles;
};

// Adds those of a statement. Read from its words, and from those in its strings where these may be
// run, as those of a DO block: rather too much is found than too little. What functions do that the
// database has already is not seen. Pure.
void AddServerChanges(absl::string_view statement, ServerChanges& changes);

}  // namespace migd
