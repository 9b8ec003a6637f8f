// The text of a migration file that is new: what MigrationFile::Parse reads back.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "service/revision/revision.h"

namespace migd {

// What goes below a marker.
struct SectionText {
  bool transactional = true;
  // SQL, taken over as it is; empty for a section that runs nothing.
  std::string sql;
};

// The name of a revision's file: `<id>_<slug>.sql`, or `<id>.sql` for a message without words. The
// slug is Alembic's: the words of the message in lower case (ASCII), joined by `_` and cut at 40
// characters, at a word where there is one.
std::string MigrationFileName(absl::string_view id, absl::string_view message);

// The text of the file of `revision`, whose path is not used. Without `down`, a file that cannot be
// downgraded. A message that the header cannot hold, such as one of two lines, comes back different
// or not at all: read the text back if the message is somebody else's.
std::string MigrationText(const Revision& revision, const SectionText& up,
                          const absl::optional<SectionText>& down);

}  // namespace migd
