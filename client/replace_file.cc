#include "client/replace_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/new_file.h"

namespace migctl {
namespace {

using migration::v1::Error;
using migration::v1::ProposedFile;

Error Failure(const std::string& path, const std::string& problem, const std::string& hint) {
  Error failure;
  failure.set_code("FAILED_PRECONDITION");
  failure.set_message(absl::StrCat("cannot change ", path, ": ", problem));
  failure.set_hint(hint);
  return failure;
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) lines.emplace_back(line);
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

// Takes the lines of one hunk through `old_lines` from `at` on.
bool ApplyLine(const std::string& line, const std::vector<std::string>& old_lines, size_t& at,
               std::vector<std::string>& new_lines) {
  const std::string text = line.substr(1);
  if (line[0] == '+') {
    new_lines.push_back(text);
    return true;
  }
  if (at >= old_lines.size() || old_lines[at] != text) return false;
  ++at;
  if (line[0] == ' ') new_lines.push_back(text);
  return true;
}

std::string ErrnoText() { return std::strerror(errno); }

}  // namespace

bool LeadsToProposal(const std::string& contents, const ProposedFile& proposal) {
  const std::vector<std::string> old_lines = LinesOf(contents);
  std::vector<std::string> new_lines;
  size_t at = 0;
  bool in_hunk = false;
  for (const std::string& line : LinesOf(proposal.diff())) {
    int first = 0;
    if (std::sscanf(line.c_str(), "@@ -%d", &first) == 1) {
      in_hunk = true;
      const auto begin = static_cast<size_t>(first > 0 ? first - 1 : 0);
      if (begin < at || begin > old_lines.size()) return false;
      for (; at < begin; ++at) new_lines.push_back(old_lines[at]);
    } else if (in_hunk && !line.empty() && absl::StrContains("+- ", line[0])) {
      if (!ApplyLine(line, old_lines, at, new_lines)) return false;
    }
  }
  for (; at < old_lines.size(); ++at) new_lines.push_back(old_lines[at]);
  return new_lines == LinesOf(proposal.content());
}

std::optional<Error> SaveProposal(const std::string& directory, const ProposedFile& proposal) {
  if (proposal.is_new()) return SaveNewFile(directory, proposal.path(), proposal.content());
  const std::string path = absl::StrCat(directory, "/", proposal.path());
  std::ifstream file(path, std::ios::binary);
  std::stringstream contents;
  contents << file.rdbuf();
  if (!file) {
    return Failure(path, ErrnoText(), "say where the migrations are with --migrations DIR");
  }
  if (!LeadsToProposal(contents.str(), proposal)) {
    return Failure(path, "it is not the file that migd has read",
                   "let migd read these files, and run the command again");
  }
  // A whole file beside it takes its place: whoever reads the directory never sees a part of it.
  const std::string temporary = absl::StrCat(".", proposal.path(), ".", getpid());
  if (auto error = SaveNewFile(directory, temporary, proposal.content())) return error;
  const std::string temporary_path = absl::StrCat(directory, "/", temporary);
  struct stat attributes {};
  if (stat(path.c_str(), &attributes) == 0) chmod(temporary_path.c_str(), attributes.st_mode);
  if (std::rename(temporary_path.c_str(), path.c_str()) == 0) return std::nullopt;
  const std::string problem = ErrnoText();
  unlink(temporary_path.c_str());
  return Failure(path, problem, "");
}

}  // namespace migctl
