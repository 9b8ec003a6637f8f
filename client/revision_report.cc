#include "client/revision_report.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "client/history_view.h"
#include "client/revision_text.h"
#include "client/text.h"

namespace migctl {
namespace {

using google::protobuf::RepeatedPtrField;
using migration::v1::BranchesResponse;
using migration::v1::CurrentResponse;
using migration::v1::HeadsResponse;
using migration::v1::HistoryResponse;
using migration::v1::Revision;
using migration::v1::ShowResponse;

using Revisions = RepeatedPtrField<Revision>;

int WidestId(const Revisions& revisions) {
  int widest = 0;
  for (const Revision& revision : revisions) {
    widest = std::max(widest, DisplayWidth(Escape(revision.revision())));
  }
  return widest;
}

// "a91f  [core] merge  (head)", the id in `id_width` columns.
std::string LineForPeople(const Revision& revision, int id_width, const std::string& marks,
                          const Style& style) {
  std::string line = style.Accent(PadRight(Escape(revision.revision()), id_width));
  for (const std::string& part : {Description(revision, style), marks}) {
    if (!part.empty()) absl::StrAppend(&line, "  ", part);
  }
  return absl::StrCat(line, "\n");
}

std::string Entries(const Revisions& revisions, bool indicate_current,
                    const TextSettings& settings) {
  std::string text;
  for (const Revision& revision : revisions) {
    absl::StrAppend(&text, Entry(revision, indicate_current || settings.terminal, settings));
  }
  return text;
}

std::string AlembicLines(const Revisions& revisions, const LineParts& parts) {
  std::string text;
  for (const Revision& revision : revisions) {
    absl::StrAppend(&text, AlembicLine(revision, parts), "\n");
  }
  return text;
}

// A row is current as such; of the others the mark says why they are listed.
std::string MarksOfCurrent(Revision revision) {
  const bool is_implied = !revision.is_current() && !revision.is_missing();
  revision.set_is_current(false);
  const std::string marks = Marks(revision);
  if (!is_implied) return marks;
  return absl::StrCat("(implied)", marks.empty() ? "" : " ", marks);
}

// The line of a revision beneath the branch point that it revises.
std::string ChildLine(const Revision& child, const ListingFlags& flags,
                      const TextSettings& settings) {
  if (settings.terminal) return LineForPeople(child, 0, Marks(child), settings.style);
  LineParts parts;
  parts.labels = true;
  parts.tree_marks = true;
  parts.message = flags.verbose;
  return absl::StrCat(AlembicLine(child, parts), "\n");
}

std::string BranchPoint(const Revision& revision, const ListingFlags& flags,
                        const TextSettings& settings) {
  if (flags.verbose) return Entry(revision, settings.terminal, settings);
  return ChildLine(revision, flags, settings);
}

}  // namespace

std::string CurrentText(const CurrentResponse& response, const ListingFlags& flags,
                        const TextSettings& settings) {
  Revisions revisions = response.revisions();
  revisions.MergeFrom(response.implied_revisions());
  if (flags.verbose) {
    return absl::StrCat("Current revision(s) for ", Escape(response.database()), ":\n",
                        Entries(revisions, flags.indicate_current, settings));
  }
  if (!settings.terminal) {
    LineParts parts;
    parts.tree_marks = true;
    return AlembicLines(revisions, parts);
  }
  std::string text;
  const int id_width = WidestId(revisions);
  for (const Revision& revision : revisions) {
    absl::StrAppend(&text,
                    LineForPeople(revision, id_width, MarksOfCurrent(revision), settings.style));
  }
  return text;
}

std::string HistoryText(const HistoryResponse& response, const ListingFlags& flags,
                        const TextSettings& settings) {
  if (flags.verbose) {
    return absl::StrCat(settings.terminal ? absl::StrCat(HistoryHeader(response), "\n") : "",
                        Entries(response.revisions(), flags.indicate_current, settings));
  }
  if (settings.terminal) return HistoryOnTerminal(response, settings);
  return AlembicLines(response.revisions(), {true, true, flags.indicate_current, true, true});
}

std::string HeadsText(const HeadsResponse& response, const ListingFlags& flags,
                      const TextSettings& settings) {
  if (flags.verbose) return Entries(response.revisions(), flags.indicate_current, settings);
  if (!settings.terminal) {
    LineParts parts;
    parts.labels = true;
    return AlembicLines(response.revisions(), parts);
  }
  std::string text;
  const int id_width = WidestId(response.revisions());
  for (const Revision& revision : response.revisions()) {
    absl::StrAppend(&text, LineForPeople(revision, id_width, Marks(revision), settings.style));
  }
  return text;
}

std::string BranchesText(const BranchesResponse& response, const ListingFlags& flags,
                         const TextSettings& settings) {
  std::map<std::string, Revision> next;
  for (const Revision& revision : response.next_revisions()) next[revision.revision()] = revision;

  std::string text;
  for (const Revision& revision : response.revisions()) {
    absl::StrAppend(&text, BranchPoint(revision, flags, settings));
    const std::string indent = PadRight("", DisplayWidth(Escape(revision.revision())));
    for (const std::string& id : revision.next_revisions()) {
      Revision& child = next[id];
      child.set_revision(id);
      absl::StrAppend(&text, indent, " -> ", ChildLine(child, flags, settings));
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string ShowText(const ShowResponse& response, const TextSettings& settings) {
  return Entries(response.revisions(), false, settings);
}

}  // namespace migctl
