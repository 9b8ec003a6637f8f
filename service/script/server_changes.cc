#include "service/script/server_changes.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "service/script/statement_reader.h"
#include "service/script/statement_words.h"

namespace migd {
namespace {

using Words = std::vector<std::string>;

bool IsOneOf(absl::string_view word, std::initializer_list<absl::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Whether two words that follow one another change the server; `next` is the third.
bool ChangesServer(absl::string_view verb, absl::string_view noun, absl::string_view next) {
  if (IsOneOf(verb, {"create", "alter", "drop"}) && !(noun == "user" && next == "mapping") &&
      IsOneOf(noun,
              {"role", "user", "group", "database", "tablespace", "system", "subscription"})) {
    return true;
  }
  return (verb == "reassign" || verb == "drop") && noun == "owned";
}

bool IsFunctionOfServer(absl::string_view word) {
  return IsOneOf(word, {"pg_create_logical_replication_slot", "pg_create_physical_replication_slot",
                        "pg_drop_replication_slot", "pg_reload_conf", "pg_cancel_backend",
                        "pg_terminate_backend"});
}

// Of GRANT, REVOKE, COMMENT and SECURITY LABEL, which say ON and what, but for GRANT admin TO app.
std::string ChangeOnObject(const Words& words) {
  const auto on = std::find(words.begin(), words.end(), "on");
  if (on == words.end()) {
    const bool grants = IsOneOf(words.front(), {"grant", "revoke"});
    return grants ? absl::StrCat(absl::AsciiStrToUpper(words.front()), " of a role") : "";
  }
  const std::string kind = on + 1 == words.end() ? "" : *(on + 1);
  const bool is_shared = IsOneOf(kind, {"role", "database", "tablespace", "parameter"});
  return is_shared ? absl::AsciiStrToUpper(absl::StrCat(words.front(), " ON ", kind)) : "";
}

// The words that change the server; empty if none do.
std::string ChangeIn(const Words& words) {
  if (words.empty()) return "";
  if (IsOneOf(words.front(), {"grant", "revoke", "comment", "security"})) {
    return ChangeOnObject(words);
  }
  for (size_t i = 0; i < words.size(); ++i) {
    if (IsFunctionOfServer(words[i])) return words[i];
    if (i + 1 == words.size()) break;
    const std::string third = i + 2 < words.size() ? words[i + 2] : "";
    if (ChangesServer(words[i], words[i + 1], third)) {
      return absl::AsciiStrToUpper(absl::StrCat(words[i], " ", words[i + 1]));
    }
  }
  return "";
}

}  // namespace

void AddServerChanges(absl::string_view statement, ServerChanges& changes) {
  StatementReader reader(statement);
  if (reader.AcceptAnyOf({"insert", "update", "delete", "copy"})) return;
  const std::string change = ChangeIn(WordsOf(statement));
  if (change.empty()) return;
  if (changes.words.empty()) changes.words = change;
  if (!reader.Accept("create") || !reader.AcceptAnyOf({"role", "user", "group"})) return;
  const auto role = reader.AcceptName();
  if (role) changes.made_roles.insert(*role);
}

}  // namespace migd
