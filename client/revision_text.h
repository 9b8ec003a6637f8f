// What the listings say of one revision: to programs in Alembic's words and layout, so that its
// users' scripts go on working; to people on a terminal with more beside them. All text from the
// server is escaped. Pure.
#pragma once

#include <string>
#include <vector>

#include "client/output.h"
#include "client/terminal.h"
#include "migration/v1/revision.pb.h"

namespace migctl {

// The parts of Alembic's line that not every listing has.
struct LineParts {
  bool parents = false;
  bool labels = false;
  bool current = false;
  bool tree_marks = false;
  bool message = false;
};

// "down (depends on) -> id (labels) (head) (current) (branchpoint) (mergepoint), message", as
// Alembic's Script.cmd_format writes it. Ends without a newline.
std::string AlembicLine(const migration::v1::Revision& revision, const LineParts& parts);

// The labels that the file gives itself.
std::vector<std::string> OwnLabels(const migration::v1::Revision& revision);

// For people: the labels, those that it inherits told apart from its own, and the message.
// "[billing] create invoices"; "[on billing] add a due date".
std::string Description(const migration::v1::Revision& revision, const Style& style);

// For people: "(head) (current) (merge point)".
std::string Marks(const migration::v1::Revision& revision);

// Alembic's word for a revision that no other revises: "(head)", or "(effective head)" for one on
// which others depend, though it is that one which is none of the effective heads. Empty for other
// revisions.
std::string HeadMark(const migration::v1::Revision& revision);

// Everything about a revision, as Alembic's Script.log_entry writes it but for the lines Created
// and Applied; on a terminal, besides, what it inherits and what needs it. `indicate_current` says
// whether a row of the version table is marked. Ends with an empty line.
std::string Entry(const migration::v1::Revision& revision, bool indicate_current,
                  const TextSettings& settings);

}  // namespace migctl
