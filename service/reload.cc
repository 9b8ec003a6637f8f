#include "service/reload.h"

#include <map>

#include "absl/strings/str_cat.h"

namespace migd {
namespace {

using Differences = std::vector<std::string>;

template <typename Value>
void Compare(const std::string& name, const Value& running, const Value& fresh,
             Differences& differences) {
  if (!(running == fresh)) differences.push_back(name);
}

void CompareDatabases(const std::string& name, const DatabaseConfig& running,
                      const DatabaseConfig& fresh, Differences& differences) {
  const auto compare = [&](absl::string_view key, const auto& a, const auto& b) {
    Compare(absl::StrCat("databases.", name, ".", key), a, b, differences);
  };
  compare("url", running.url, fresh.url);
  compare("password_file", running.password_file, fresh.password_file);
  compare("migrations", running.migrations, fresh.migrations);
  compare("version_table", running.version_table, fresh.version_table);
  compare("version_table_schema", running.version_table_schema, fresh.version_table_schema);
  compare("connect_timeout", running.connect_timeout, fresh.connect_timeout);
  compare("backup_dir", running.backup_dir, fresh.backup_dir);
  compare("backup_keep", running.backup_keep, fresh.backup_keep);
}

std::map<std::string, const DatabaseConfig*> ByName(const Config& config) {
  std::map<std::string, const DatabaseConfig*> databases;
  for (const DatabaseConfig& database : config.databases) databases[database.name] = &database;
  return databases;
}

}  // namespace

std::vector<std::string> SettingsThatNeedARestart(const Config& running, const Config& fresh) {
  Differences differences;
  Compare("listen", running.listen, fresh.listen, differences);
  Compare("insecure", running.insecure, fresh.insecure, differences);
  Compare("tls", running.tls, fresh.tls, differences);
  Compare("limits", running.limits, fresh.limits, differences);
  Compare("shutdown_grace", running.shutdown_grace, fresh.shutdown_grace, differences);
  Compare("metrics_listen", running.metrics_listen, fresh.metrics_listen, differences);
  Compare("metrics_tls", running.metrics_tls, fresh.metrics_tls, differences);
  Compare("metrics_token_file", running.metrics_token_file, fresh.metrics_token_file, differences);
  Compare("log_format", running.log_format, fresh.log_format, differences);
  Compare("postgres_programs", running.postgres_programs, fresh.postgres_programs, differences);
  Compare("takeover_after", running.operations.takeover_after, fresh.operations.takeover_after,
          differences);
  const auto before = ByName(running);
  const auto now = ByName(fresh);
  for (const auto& [name, database] : before) {
    const auto found = now.find(name);
    if (found == now.end()) {
      differences.push_back(absl::StrCat("databases.", name, " (removed)"));
    } else {
      CompareDatabases(name, *database, *found->second, differences);
    }
  }
  for (const auto& [name, database] : now) {
    if (before.count(name) == 0) differences.push_back(absl::StrCat("databases.", name, " (new)"));
  }
  return differences;
}

void ApplyPolicies(const Config& fresh, const Catalog& catalog) {
  for (const DatabaseConfig& database : fresh.databases) {
    const auto workspace = catalog.Find(database.name);
    if (workspace.ok()) (*workspace)->SetPolicy(PolicyOf(database));
  }
}

}  // namespace migd
