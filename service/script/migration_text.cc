#include "service/script/migration_text.h"

#include <cstddef>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace migd {
namespace {

constexpr size_t kLongestSlug = 40;

bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// Whether the character that begins at `at` can be part of a word. Beyond ASCII all can but the
// punctuation of Latin-1 (U+0080 to U+00BF), the general one (U+2000 to U+207F) and CJK's (U+3000
// to U+303F).
bool BeginsWordCharacter(absl::string_view text, size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) return absl::ascii_isalnum(byte) || byte == '_';
  const auto next = at + 1 < text.size() ? static_cast<unsigned char>(text[at + 1]) : 0;
  if (byte == 0xC2) return false;
  if (byte == 0xE2) return next != 0x80 && next != 0x81;
  if (byte == 0xE3) return next != 0x80;
  return true;
}

std::vector<std::string> WordsOf(absl::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  bool is_word_character = false;
  for (size_t at = 0; at < text.size(); ++at) {
    if (!IsContinuation(text[at])) is_word_character = BeginsWordCharacter(text, at);
    if (!is_word_character) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    words.back().push_back(absl::ascii_tolower(static_cast<unsigned char>(text[at])));
  }
  return words;
}

// The offset of character `count` of `text`, or its end.
size_t OffsetOfCharacter(absl::string_view text, size_t count) {
  size_t at = 0;
  for (; at < text.size(); ++at) {
    if (IsContinuation(text[at])) continue;
    if (count == 0) break;
    --count;
  }
  return at;
}

std::string SlugOf(absl::string_view message) {
  std::string slug = absl::StrJoin(WordsOf(message), "_");
  const size_t end = OffsetOfCharacter(slug, kLongestSlug);
  if (end == slug.size()) return slug;
  slug.resize(end);
  const size_t last_word = slug.rfind('_');
  if (last_word != std::string::npos) slug.resize(last_word);
  return slug;
}

std::string HeaderLine(absl::string_view key, absl::string_view value) {
  return absl::StrCat("-- ", key, ":", value.empty() ? "" : " ", value, "\n");
}

std::string SectionLines(absl::string_view marker, const SectionText& section) {
  const absl::string_view sql = absl::StripAsciiWhitespace(section.sql);
  return absl::StrCat("\n-- migrate:", marker, section.transactional ? "" : " transaction:false",
                      "\n", sql.empty() ? "" : "\n", sql, sql.empty() ? "" : "\n");
}

}  // namespace

std::string MigrationFileName(absl::string_view id, absl::string_view message) {
  const std::string slug = SlugOf(message);
  return absl::StrCat(id, slug.empty() ? "" : "_", slug, ".sql");
}

std::string MigrationText(const Revision& revision, const SectionText& up,
                          const absl::optional<SectionText>& down) {
  const std::string date =
      revision.create_time
          ? absl::FormatTime("%Y-%m-%d %H:%M:%E*S", *revision.create_time, absl::UTCTimeZone())
          : "";
  std::string text =
      absl::StrCat("--", revision.message.empty() ? "" : " ", revision.message, "\n--\n",
                   HeaderLine("Revision ID", revision.id),
                   HeaderLine("Revises", absl::StrJoin(revision.down_revisions, ", ")),
                   HeaderLine("Branch Labels", absl::StrJoin(revision.branch_labels, ", ")),
                   HeaderLine("Depends On", absl::StrJoin(revision.depends_on, ", ")),
                   HeaderLine("Create Date", date), SectionLines("up", up));
  if (down) absl::StrAppend(&text, SectionLines("down", *down));
  return text;
}

}  // namespace migd
