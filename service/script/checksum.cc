#include "absl/strings/str_cat.h"
#include "service/base/sha256.h"
#include "service/script/migration_file.h"

namespace migd {
namespace {

constexpr absl::string_view kCrLf = "\r\n";

size_t CountCrLf(absl::string_view text) {
  size_t count = 0;
  for (size_t at = text.find(kCrLf); at != absl::string_view::npos;
       at = text.find(kCrLf, at + kCrLf.size())) {
    ++count;
  }
  return count;
}

void AddBlock(absl::string_view kind, absl::string_view text, Sha256& hash) {
  hash.Update(absl::StrCat(kind, " ", text.size() - CountCrLf(text), "\n"));
  for (size_t at = text.find(kCrLf); at != absl::string_view::npos; at = text.find(kCrLf)) {
    hash.Update(text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  hash.Update(text);
  hash.Update("\n");
}

void AddStatement(const Statement& statement, Sha256& hash) {
  AddBlock("statement", statement.text, hash);
  if (statement.copy_data.has_value()) AddBlock("data", *statement.copy_data, hash);
}

void AddSection(absl::string_view name, const Section& section, Sha256& hash) {
  if (!section.present) return;
  hash.Update(absl::StrCat(name, " transaction:", section.transactional ? "true" : "false", "\n"));
  for (const Statement& statement : section.statements) AddStatement(statement, hash);
}

}  // namespace

std::string ComputeChecksum(const Section& up, const Section& down) {
  Sha256 hash;
  AddSection("up", up, hash);
  AddSection("down", down, hash);
  return hash.FinishHex();
}

std::string ComputeFingerprint(const Statement& statement) {
  Sha256 hash;
  AddStatement(statement, hash);
  return hash.FinishHex();
}

}  // namespace migd
