#include "client/revision_text.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "client/text.h"
#include "client/time_text.h"

namespace migctl {
namespace {

using google::protobuf::RepeatedPtrField;
using migration::v1::Revision;

using Names = RepeatedPtrField<std::string>;

constexpr absl::string_view kNoFile = "(no file has this revision)";

std::string If(bool condition, absl::string_view text) {
  return condition ? std::string(text) : "";
}

std::string InParentheses(const Names& names) {
  return names.empty() ? "" : absl::StrCat(" (", NameList(names), ")");
}

std::string WithSpace(const std::string& mark) {
  return mark.empty() ? "" : absl::StrCat(" ", mark);
}

std::string TreeMarks(const Revision& revision) {
  return absl::StrCat(If(revision.is_branch_point(), " (branchpoint)"),
                      If(revision.is_merge_point(), " (mergepoint)"));
}

std::string LabelsForPeople(const Revision& revision, const Style& style) {
  if (revision.branch_labels().empty()) return "";
  const std::string own = NameList(OwnLabels(revision));
  const std::string inherited = NameList(revision.inherited_branch_labels());
  if (inherited.empty()) return absl::StrCat("[", own, "]");
  if (own.empty()) return style.Dim(absl::StrCat("[on ", inherited, "]"));
  return absl::StrCat("[", own, " on ", inherited, "]");
}

// A line of an entry; none without a value.
std::string Field(absl::string_view name, const std::string& value) {
  return value.empty() ? "" : absl::StrCat(name, ": ", value, "\n");
}

// What `depends_on` says, and the ids if they are others.
std::string DependenciesForPeople(const Revision& revision) {
  const std::set<std::string> given(revision.depends_on().begin(), revision.depends_on().end());
  const std::set<std::string> ids(revision.dependencies().begin(), revision.dependencies().end());
  const std::string text = NameList(revision.depends_on());
  return given == ids || ids.empty() ? text : absl::StrCat(text, ", that is ", NameList(ids));
}

std::string Ancestry(const Revision& revision, bool for_people) {
  return absl::StrCat(
      Field(revision.is_merge_point() ? "Merges" : "Parent",
            NameList(revision.down_revisions(), "<base>")),
      Field("Also depends on",
            for_people ? DependenciesForPeople(revision) : NameList(revision.depends_on())),
      for_people ? Field("Needed by", NameList(revision.dependents())) : "",
      revision.is_branch_point() ? Field("Branches into", NameList(revision.next_revisions())) : "",
      for_people ? absl::StrCat(Field("Branch names", NameList(OwnLabels(revision))),
                                Field("Inherits", NameList(revision.inherited_branch_labels())))
                 : Field("Branch names", NameList(revision.branch_labels())));
}

std::string Times(const Revision& revision) {
  return absl::StrCat(
      revision.has_create_time() ? Field("Created", LogTime(ToTime(revision.create_time()))) : "",
      revision.has_apply_time() ? Field("Applied", LogTime(ToTime(revision.apply_time()))) : "");
}

}  // namespace

std::vector<std::string> OwnLabels(const Revision& revision) {
  // They come first.
  const int count = revision.branch_labels_size() - revision.inherited_branch_labels_size();
  const auto begin = revision.branch_labels().begin();
  return {begin, begin + std::max(count, 0)};
}

std::string HeadMark(const Revision& revision) {
  if (!revision.is_head()) return "";
  return revision.dependents().empty() ? "(head)" : "(effective head)";
}

std::string AlembicLine(const Revision& revision, const LineParts& parts) {
  std::string line;
  if (parts.parents) {
    absl::StrAppend(&line, NameList(revision.down_revisions(), "<base>"),
                    InParentheses(revision.depends_on()), " -> ");
  }
  absl::StrAppend(&line, Escape(revision.revision()));
  if (revision.is_missing()) return absl::StrCat(line, " ", kNoFile);
  if (parts.labels) absl::StrAppend(&line, InParentheses(revision.branch_labels()));
  absl::StrAppend(&line, WithSpace(HeadMark(revision)),
                  If(parts.current && revision.is_current(), " (current)"));
  if (parts.tree_marks) absl::StrAppend(&line, TreeMarks(revision));
  if (parts.message) absl::StrAppend(&line, ", ", Escape(revision.message()));
  return line;
}

std::string Description(const Revision& revision, const Style& style) {
  const std::string labels = LabelsForPeople(revision, style);
  const std::string message = Escape(revision.message());
  return absl::StrCat(labels, labels.empty() || message.empty() ? "" : " ", message);
}

std::string Marks(const Revision& revision) {
  if (revision.is_missing()) return std::string(kNoFile);
  std::vector<std::string> marks;
  if (revision.is_head()) marks.push_back(HeadMark(revision));
  if (revision.is_current()) marks.push_back("(current)");
  if (revision.is_merge_point()) marks.push_back("(merge point)");
  if (revision.is_branch_point()) marks.push_back("(branch point)");
  return absl::StrJoin(marks, " ");
}

std::string Entry(const Revision& revision, bool indicate_current, const TextSettings& settings) {
  std::string text = absl::StrCat("Rev: ", settings.style.Accent(Escape(revision.revision())),
                                  If(revision.is_head(), " (head)"), TreeMarks(revision),
                                  If(indicate_current && revision.is_current(), " (current)"));
  if (revision.is_missing()) return absl::StrCat(text, " ", kNoFile, "\n\n");
  absl::StrAppend(&text, "\n", Ancestry(revision, settings.terminal),
                  Field("Path", Escape(revision.path())), Times(revision), "\n");
  for (const std::string& line : EscapedLines(revision.message())) {
    absl::StrAppend(&text, "    ", line, "\n");
  }
  return absl::StrCat(text, "\n");
}

}  // namespace migctl
