#include "service/hash_token.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <iostream>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "service/access/token_file.h"
#include "service/base/errors.h"
#include "service/base/unique_fd.h"

namespace migd {
namespace {

// For its owner alone, and in place of nothing.
absl::Status WriteNewFile(const std::string& path, const std::string& contents) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() >= 0 && write(file.get(), contents.data(), contents.size()) ==
                             static_cast<ssize_t>(contents.size())) {
    return absl::OkStatus();
  }
  return errors::InvalidRequest("new",
                                absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
}

absl::StatusOr<std::string> LineFor(const HashTokenArguments& arguments) {
  absl::Time expires = absl::InfiniteFuture();
  if (!arguments.expires.empty() &&
      !absl::ParseTime(absl::RFC3339_full, arguments.expires, &expires, nullptr)) {
    return errors::InvalidRequest("expires", "write a time as in 2027-01-31T00:00:00Z");
  }
  if (!arguments.new_file.empty()) {
    const std::string token = NewToken();
    auto line = TokenLine(arguments.name, token, expires);
    if (!line.ok()) return line;
    const absl::Status status = WriteNewFile(arguments.new_file, token + "\n");
    if (!status.ok()) return status;
    return line;
  }
  std::string token;
  std::getline(std::cin, token);
  return TokenLine(arguments.name, absl::StripAsciiWhitespace(token), expires);
}

}  // namespace

int HashToken(const HashTokenArguments& arguments) {
  const auto line = LineFor(arguments);
  if (!line.ok()) {
    std::cerr << "migd: " << line.status().message() << "\n";
    return 1;
  }
  std::cout << *line << "\n";
  return 0;
}

}  // namespace migd
