#include "service/access/token_file.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <new>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "service/base/errors.h"
#include "service/base/sha256.h"

namespace migd {
namespace {

constexpr absl::string_view kHashPrefix = "sha256:";

absl::Status Problem(absl::string_view problem) {
  return errors::InvalidRequest("tokens_file", problem);
}

bool IsName(absl::string_view text) {
  return !text.empty() && absl::ascii_isalnum(static_cast<unsigned char>(text[0])) &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
         });
}

bool IsHash(absl::string_view text) {
  constexpr size_t kDigits = 64;
  return text.size() == kDigits && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

std::string HashOf(absl::string_view token) {
  Sha256 hash;
  hash.Update(token);
  return hash.FinishHex();
}

// Reads a line that is not empty into `entry`. Returns what is wrong with it; "" for nothing.
absl::string_view ParseLine(absl::string_view line, TokenEntry& entry) {
  const std::vector<std::string> words =
      absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (words.size() < 2 || words.size() > 3) {
    return "write NAME sha256:HEX, and after it when the token expires, if it does";
  }
  entry.name = words[0];
  if (!IsName(entry.name)) return "the name must have letters, digits, and ._- after the first";
  absl::string_view hash = words[1];
  if (!absl::ConsumePrefix(&hash, kHashPrefix) || !IsHash(hash)) {
    return "the hash must be sha256: and 64 lower-case hex digits; `migd hash-token` makes such a "
           "line";
  }
  entry.hash = std::string(hash);
  if (words.size() == 3 &&
      !absl::ParseTime(absl::RFC3339_full, words[2], &entry.expires, nullptr)) {
    return "the time of expiry must be as in 2027-01-31T00:00:00Z";
  }
  return "";
}

}  // namespace

absl::StatusOr<TokenList> TokenList::Parse(absl::string_view contents, const std::string& path) {
  std::vector<TokenEntry> entries;
  std::set<std::string> seen;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(contents, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    TokenEntry entry;
    absl::string_view problem = ParseLine(line, entry);
    if (problem.empty() && (!seen.insert(entry.name).second || !seen.insert(entry.hash).second)) {
      problem = "the name or the hash is there twice";
    }
    if (!problem.empty()) return Problem(absl::StrCat(path, ":", number, ": ", problem));
    entries.push_back(std::move(entry));
  }
  return TokenList(std::move(entries));
}

absl::StatusOr<TokenList> TokenList::Read(const std::string& path) {
  struct stat about = {};
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open() || stat(path.c_str(), &about) != 0) {
    return Problem(absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  }
  if ((about.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Problem(absl::StrCat(path, " can be written by others than its owner; chmod go-w it"));
  }
  std::ostringstream contents;
  contents << file.rdbuf();
  return Parse(contents.str(), path);
}

absl::StatusOr<std::string> TokenList::Find(absl::string_view token, absl::Time now) const {
  const std::string hash = HashOf(token);
  const TokenEntry* found = nullptr;
  for (const TokenEntry& entry : entries_) {
    if (CRYPTO_memcmp(entry.hash.data(), hash.data(), hash.size()) == 0) found = &entry;
  }
  if (found == nullptr) return errors::Unauthenticated("the bearer token is not one that it knows");
  if (now >= found->expires) {
    return errors::Unauthenticated(
        absl::StrCat("the bearer token expired at ",
                     absl::FormatTime(absl::RFC3339_sec, found->expires, absl::UTCTimeZone())));
  }
  return found->name;
}

std::string NewToken() {
  std::array<unsigned char, 32> bytes;
  // Fails only where the kernel gives no random numbers.
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) throw std::bad_alloc();
  return absl::WebSafeBase64Escape(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

absl::StatusOr<std::string> TokenLine(absl::string_view name, absl::string_view token,
                                      absl::Time expires) {
  if (!IsName(name)) {
    return errors::InvalidRequest("name", "must have letters, digits, and ._- after the first");
  }
  if (token.size() < kShortestToken) {
    return errors::InvalidRequest(
        "token", absl::StrCat("has ", token.size(), " characters; it must have ", kShortestToken,
                              " at least, and be random"));
  }
  if (!std::all_of(token.begin(), token.end(),
                   [](unsigned char c) { return absl::ascii_isgraph(c); })) {
    return errors::InvalidRequest("token", "must have printable ASCII characters, and no blanks");
  }
  std::string line = absl::StrCat(name, " ", kHashPrefix, HashOf(token));
  if (expires != absl::InfiniteFuture()) {
    absl::StrAppend(&line, " ", absl::FormatTime(absl::RFC3339_full, expires, absl::UTCTimeZone()));
  }
  return line;
}

}  // namespace migd
