// The file of bearer tokens. It holds their hashes, not them: whoever reads it can call nobody.
//
//     # NAME sha256:HEX [EXPIRES]
//     deploy sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//     ci     sha256:... 2027-01-31T00:00:00Z
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace migd {

// As short as a token may be. Its hash is not salted, so that it must be too long to guess: one
// that NewToken makes has 43 characters, which are 256 bits.
inline constexpr size_t kShortestToken = 20;

// A line of the file.
struct TokenEntry {
  std::string name;
  // SHA-256 of the token, in lower-case hex.
  std::string hash;
  absl::Time expires = absl::InfiniteFuture();
};

// The tokens of a file. A plain value, immutable.
class TokenList {
 public:
  TokenList() = default;

  // Reads the contents of a file; `path` is for the errors. InvalidRequest names the line of what
  // is wrong: another form, a name or a hash that is there twice.
  static absl::StatusOr<TokenList> Parse(absl::string_view contents, const std::string& path);

  // Reads a file. InvalidRequest, too, if it cannot be read, or if others than its owner may write
  // it: they could let themselves in.
  static absl::StatusOr<TokenList> Read(const std::string& path);

  // The name of a token. Unauthenticated if it is none of these, or expired at `now`. Takes the
  // same time for any token of a length: it compares with all, each to the end.
  absl::StatusOr<std::string> Find(absl::string_view token, absl::Time now) const;

  const std::vector<TokenEntry>& entries() const { return entries_; }

 private:
  explicit TokenList(std::vector<TokenEntry> entries) : entries_(std::move(entries)) {}

  std::vector<TokenEntry> entries_;
};

// A new token: 256 random bits, in the characters of URLs.
std::string NewToken();

// The line for a token, without a line end. InvalidRequest for a name that is none (letters,
// digits, and `._-` after the first), and for a token that is too short or has other characters
// than a header takes.
absl::StatusOr<std::string> TokenLine(absl::string_view name, absl::string_view token,
                                      absl::Time expires);

}  // namespace migd
