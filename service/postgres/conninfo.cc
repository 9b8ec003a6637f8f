#include "service/postgres/conninfo.h"

#include <libpq-fe.h>

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "service/base/errors.h"

namespace migd {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using OwnedOptions = std::unique_ptr<PQconninfoOption, FreeOptions>;

bool IsPlainName(absl::string_view conninfo) {
  return !conninfo.empty() && !absl::StrContains(conninfo, "=") &&
         !absl::StrContains(conninfo, "://");
}

}  // namespace

absl::StatusOr<ConnectionOptions> ParseConninfo(const std::string& conninfo) {
  if (IsPlainName(conninfo)) return ConnectionOptions{{"dbname", conninfo}};
  char* problem = nullptr;
  const OwnedOptions parsed(PQconninfoParse(conninfo.c_str(), &problem));
  if (problem != nullptr) PQfreemem(problem);  // libpq's words repeat the text, password and all
  if (parsed == nullptr) {
    return errors::InvalidRequest("database",
                                  "is no connection string; write postgresql://user@host:port/name "
                                  "or \"host=... dbname=...\" "
                                  "(special characters of a password in a URI as %XX)");
  }
  ConnectionOptions options;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) options[option->keyword] = option->val;
  }
  return options;
}

std::string FormatConninfo(const ConnectionOptions& options) {
  std::string conninfo;
  for (const auto& [keyword, value] : options) {
    absl::StrAppend(&conninfo, conninfo.empty() ? "" : " ", keyword, "='",
                    absl::StrReplaceAll(value, {{"\\", "\\\\"}, {"'", "\\'"}}), "'");
  }
  return conninfo;
}

std::string DatabaseName(const ConnectionOptions& options) {
  const OwnedOptions defaults(PQconndefaults());
  const auto value_of = [&](const std::string& keyword) -> std::string {
    if (const auto found = options.find(keyword);
        found != options.end() && !found->second.empty()) {
      return found->second;
    }
    for (const PQconninfoOption* option = defaults.get();
         option != nullptr && option->keyword != nullptr; ++option) {
      if (option->keyword == keyword && option->val != nullptr) return option->val;
    }
    return "";
  };
  // libpq's rule: without a name, the database is called as the user.
  const std::string name = value_of("dbname");
  return name.empty() ? value_of("user") : name;
}

}  // namespace migd
