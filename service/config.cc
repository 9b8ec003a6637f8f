#include "service/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/access/roles.h"
#include "service/base/errors.h"
#include "service/lint/lint.h"
#include "service/schema/schema.h"

namespace migd {
namespace {

// What is wrong, and where. Thrown inside this file only, as yaml-cpp throws its own.
class Mistake : public std::exception {
 public:
  Mistake(const YAML::Node& node, absl::string_view problem)
      : line_(node.Mark().line + 1), problem_(problem) {}
  int line() const { return line_; }
  const std::string& problem() const { return problem_; }

 private:
  int line_;
  std::string problem_;
};

std::string ReadString(const YAML::Node& node) {
  if (!node.IsScalar()) throw Mistake(node, "must be a text");
  return node.Scalar();
}

bool ReadBool(const YAML::Node& node) {
  bool value = false;
  if (!YAML::convert<bool>::decode(node, value)) throw Mistake(node, "must be true or false");
  return value;
}

absl::Duration ReadDuration(const YAML::Node& node) {
  absl::Duration value;
  if (!ParseTimeout(ReadString(node), value)) {
    throw Mistake(node, "must be a duration, such as 500ms, 2s, 5m or 0");
  }
  return value;
}

std::vector<std::string> ReadStrings(const YAML::Node& node) {
  if (!node.IsSequence()) throw Mistake(node, "must be a list of texts");
  std::vector<std::string> strings;
  for (const auto& entry : node) strings.push_back(ReadString(entry));
  return strings;
}

int ReadRetries(const YAML::Node& node) {
  int value = 0;
  if (!absl::SimpleAtoi(ReadString(node), &value) || value < 0 || value > kMostLockRetries) {
    throw Mistake(node, absl::StrCat("must be a number from 0 to ", kMostLockRetries));
  }
  return value;
}

migration::v1::LintGate ReadLintGate(const YAML::Node& node) {
  migration::v1::LintGate gate;
  if (!ParseLintGate(ReadString(node), gate)) throw Mistake(node, "must be error, warn or off");
  return gate;
}

// rule: error, warning or off.
LintSeverities ReadLintRules(const YAML::Node& node) {
  static const std::map<std::string, migration::v1::Severity> severities = {
      {"error", migration::v1::SEVERITY_ERROR},
      {"warning", migration::v1::SEVERITY_WARNING},
      {"off", migration::v1::SEVERITY_OFF}};
  if (!node.IsMap()) throw Mistake(node, "must be a map of rules and severities");
  LintSeverities rules;
  for (const auto& entry : node) {
    const std::string rule = ReadString(entry.first);
    if (!IsLintRule(rule)) {
      throw Mistake(entry.first, absl::StrCat("unknown rule ", rule, "; see migctl lint --rules"));
    }
    const auto severity = severities.find(ReadString(entry.second));
    if (severity == severities.end()) {
      throw Mistake(entry.second, "must be error, warning or off");
    }
    if (!rules.emplace(rule, severity->second).second) {
      throw Mistake(entry.first, absl::StrCat("rule ", rule, " is given twice"));
    }
  }
  return rules;
}

using Readers = std::map<std::string, std::function<void(const YAML::Node&)>>;

// Reads each key of a map with its reader.
void ReadMap(const YAML::Node& node, const Readers& readers) {
  if (!node.IsMap()) throw Mistake(node, "must be a map of keys and values");
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const std::string key = ReadString(entry.first);
    const auto reader = readers.find(key);
    if (reader == readers.end()) throw Mistake(entry.first, absl::StrCat("unknown key ", key));
    if (!seen.insert(key).second) throw Mistake(entry.first, absl::StrCat(key, " is given twice"));
    reader->second(entry.second);
  }
}

DatabaseConfig ReadDatabase(const std::string& name, const YAML::Node& node,
                            const DatabaseConfig& defaults) {
  DatabaseConfig database = defaults;
  database.name = name;
  const auto text = [](std::string& into) {
    return [&into](const YAML::Node& value) { into = ReadString(value); };
  };
  const auto duration = [](absl::Duration& into) {
    return [&into](const YAML::Node& value) { into = ReadDuration(value); };
  };
  ReadMap(
      node,
      {{"url", text(database.url)},
       {"password_file", text(database.password_file)},
       {"migrations", text(database.migrations)},
       {"version_table", text(database.version_table)},
       {"version_table_schema", text(database.version_table_schema)},
       {"lock_timeout", duration(database.policy.timeouts.lock_timeout)},
       {"statement_timeout", duration(database.policy.timeouts.statement_timeout)},
       {"lock_retries",
        [&](const YAML::Node& value) { database.policy.lock_retries = ReadRetries(value); }},
       {"allow_terminate_blockers",
        [&](const YAML::Node& value) {
          database.policy.allow_terminate_blockers = ReadBool(value);
        }},
       {"lint", [&](const YAML::Node& value) { database.policy.lint_gate = ReadLintGate(value); }},
       {"lint_rules",
        [&](const YAML::Node& value) { database.policy.lint_severities = ReadLintRules(value); }},
       {"verify_ignore",
        [&](const YAML::Node& value) {
          database.policy.verify_ignore = ReadStrings(value);
          for (const std::string& pattern : database.policy.verify_ignore) {
            const std::string kind = UnknownKind(pattern);
            if (kind.empty()) continue;
            throw Mistake(value, absl::StrCat("\"", kind, "\" is no kind of object; there are ",
                                              absl::StrJoin(SchemaKinds(), ", ")));
          }
        }},
       {"protected", [&](const YAML::Node& value) { database.is_protected = ReadBool(value); }},
       {"destructive",
        [&](const YAML::Node& value) {
          if (ParseDestructive(ReadString(value), database.destructive)) return;
          throw Mistake(value, "must be allow, confirm or refuse");
        }},
       {"connect_timeout", duration(database.connect_timeout)},
       {"backup",
        [&](const YAML::Node& value) {
          if (!ParseBackupMode(ReadString(value), database.policy.backup)) {
            throw Mistake(value, "must be never, before_destructive or always");
          }
        }},
       {"backup_verify",
        [&](const YAML::Node& value) {
          if (!ParseBackupVerification(ReadString(value), database.policy.backup_verification)) {
            throw Mistake(value, "must be list or restore");
          }
        }},
       {"backup_dir", text(database.backup_dir)},
       {"backup_keep", [&](const YAML::Node& value) {
          if (!absl::SimpleAtoi(ReadString(value), &database.backup_keep) ||
              database.backup_keep < 1) {
            throw Mistake(value, "must be a number from 1 on");
          }
        }}});
  return database;
}

void ReadDatabases(const YAML::Node& node, const DatabaseConfig& defaults, Config& config) {
  if (!node.IsMap() || node.size() == 0) {
    throw Mistake(node, "databases must be a map of names, at least one");
  }
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const std::string name = ReadString(entry.first);
    if (!seen.insert(name).second) {
      throw Mistake(entry.first, absl::StrCat("database ", name, " is given twice"));
    }
    config.databases.push_back(ReadDatabase(name, entry.second, defaults));
  }
}

TlsOptions ReadTls(const YAML::Node& node) {
  TlsOptions tls;
  const auto text = [](std::string& into) {
    return [&into](const YAML::Node& value) { into = ReadString(value); };
  };
  ReadMap(node, {{"cert", text(tls.files.certificate)},
                 {"key", text(tls.files.key)},
                 {"client_ca", text(tls.files.client_ca)},
                 {"client_certificate", [&](const YAML::Node& value) {
                    const std::string wanted = ReadString(value);
                    if (wanted != "require" && wanted != "optional") {
                      throw Mistake(value, "must be require or optional");
                    }
                    tls.require_client_certificate = wanted == "require";
                  }}});
  const std::string problem = ProblemOfTls(tls);
  if (!problem.empty()) throw Mistake(node, problem);
  return tls;
}

AccessRule ReadAccessRule(const YAML::Node& node) {
  AccessRule rule;
  ReadMap(node, {{"principals",
                  [&](const YAML::Node& value) {
                    for (const std::string& principal : ReadStrings(value)) {
                      const absl::Status status = CheckPrincipal(principal);
                      if (!status.ok()) throw Mistake(value, status.message());
                      rule.principals.insert(principal);
                    }
                  }},
                 {"databases",
                  [&](const YAML::Node& value) {
                    for (const std::string& name : ReadStrings(value)) rule.databases.insert(name);
                  }},
                 {"role", [&](const YAML::Node& value) {
                    if (!ParseRole(ReadString(value), rule.role)) {
                      throw Mistake(value, "must be viewer, operator, destructive or admin");
                    }
                  }}});
  if (rule.principals.empty() || rule.databases.empty() ||
      rule.role == migration::v1::ROLE_UNSPECIFIED) {
    throw Mistake(node, "a rule has principals, databases and a role");
  }
  return rule;
}

AccessPolicy ReadAuthorization(const YAML::Node& node) {
  AccessPolicy policy;
  ReadMap(node, {{"tokens_file",
                  [&](const YAML::Node& value) { policy.tokens_file = ReadString(value); }},
                 {"rules", [&](const YAML::Node& value) {
                    if (!value.IsSequence()) throw Mistake(value, "must be a list of rules");
                    for (const auto& rule : value) policy.rules.push_back(ReadAccessRule(rule));
                  }}});
  return policy;
}

// Reads a number, or a size such as 4MiB.
int64_t ReadSize(const YAML::Node& node) {
  static const std::map<std::string, int64_t> units = {
      {"", 1}, {"KiB", int64_t{1} << 10}, {"MiB", int64_t{1} << 20}, {"GiB", int64_t{1} << 30}};
  const std::string text = ReadString(node);
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto unit = units.find(text.substr(digits));
  int64_t value = 0;
  if (unit == units.end() || !absl::SimpleAtoi(text.substr(0, digits), &value) || value < 1 ||
      value > (int64_t{1} << 50) / unit->second) {
    throw Mistake(node, "must be a size, such as 4MiB or 1GiB");
  }
  return value * unit->second;
}

int ReadCount(const YAML::Node& node) {
  int value = 0;
  if (!absl::SimpleAtoi(ReadString(node), &value) || value < 1) {
    throw Mistake(node, "must be a number from 1 on");
  }
  return value;
}

absl::Duration ReadPositiveDuration(const YAML::Node& node) {
  const absl::Duration value = ReadDuration(node);
  if (value == absl::ZeroDuration()) throw Mistake(node, "must not be 0");
  return value;
}

Limits ReadLimits(const YAML::Node& node) {
  Limits limits;
  const auto count = [](int& into) {
    return [&into](const YAML::Node& value) { into = ReadCount(value); };
  };
  const auto duration = [](absl::Duration& into) {
    return [&into](const YAML::Node& value) { into = ReadPositiveDuration(value); };
  };
  ReadMap(node, {{"message_size",
                  [&](const YAML::Node& value) {
                    const int64_t size = ReadSize(value);
                    if (size > kLargestMessage) throw Mistake(value, "must be 1GiB at most");
                    limits.message_size = static_cast<int>(size);
                  }},
                 {"connections", count(limits.connections)},
                 {"calls_per_connection", count(limits.calls_per_connection)},
                 {"calls_per_client", count(limits.calls_per_client)},
                 {"streams_per_client", count(limits.streams_per_client)},
                 {"scratch_calls_per_client", count(limits.scratch_calls_per_client)},
                 {"operations_per_client", count(limits.operations_per_client)},
                 {"read_deadline", duration(limits.read_deadline)},
                 {"handshake_timeout", duration(limits.handshake_timeout)},
                 {"connection_age", duration(limits.connection_age)},
                 {"memory", [&](const YAML::Node& value) { limits.memory = ReadSize(value); }},
                 {"threads", count(limits.threads)}});
  return limits;
}

}  // namespace

Policy UsualPolicy() {
  Policy policy;
  policy.timeouts = {absl::Seconds(2), absl::ZeroDuration()};
  policy.lock_retries = 5;
  return policy;
}

Policy PolicyOf(const DatabaseConfig& database) {
  Policy policy = database.policy;
  policy.destructive = database.destructive.value_or(
      database.is_protected ? DestructivePolicy::kRefuse : DestructivePolicy::kConfirm);
  return policy;
}

std::string ProblemOfTls(const TlsOptions& tls) {
  if (tls.files.certificate.empty() || tls.files.key.empty()) {
    return "TLS needs a certificate and a key";
  }
  return "";
}

bool ParseDestructive(const std::string& text, absl::optional<DestructivePolicy>& into) {
  if (text == "allow") {
    into = DestructivePolicy::kAllow;
  } else if (text == "confirm") {
    into = DestructivePolicy::kConfirm;
  } else if (text == "refuse") {
    into = DestructivePolicy::kRefuse;
  } else {
    return false;
  }
  return true;
}

bool ParseTimeout(const std::string& text, absl::Duration& into) {
  return absl::ParseDuration(text, &into) &&
         (into == absl::ZeroDuration() ||
          (into >= absl::Milliseconds(1) &&
           into <= absl::Milliseconds(std::numeric_limits<int32_t>::max())));
}

bool ParseBackupMode(const std::string& text, migration::v1::BackupMode& into) {
  static const std::map<std::string, migration::v1::BackupMode> modes = {
      {"never", migration::v1::BACKUP_MODE_NEVER},
      {"before_destructive", migration::v1::BACKUP_MODE_BEFORE_DESTRUCTIVE},
      {"always", migration::v1::BACKUP_MODE_ALWAYS}};
  const auto found = modes.find(text);
  if (found != modes.end()) into = found->second;
  return found != modes.end();
}

bool ParseBackupVerification(const std::string& text, migration::v1::BackupVerification& into) {
  if (text != "list" && text != "restore") return false;
  into = text == "list" ? migration::v1::BACKUP_VERIFICATION_LIST
                        : migration::v1::BACKUP_VERIFICATION_RESTORE;
  return true;
}

bool ParseLogFormat(const std::string& text, LogFormat& into) {
  if (text != "text" && text != "json") return false;
  into = text == "json" ? LogFormat::kJson : LogFormat::kText;
  return true;
}

bool ParseLintGate(const std::string& text, migration::v1::LintGate& into) {
  if (text == "error") {
    into = migration::v1::LINT_GATE_ERROR;
  } else if (text == "warn") {
    into = migration::v1::LINT_GATE_WARN;
  } else if (text == "off") {
    into = migration::v1::LINT_GATE_OFF;
  } else {
    return false;
  }
  return true;
}

absl::Status ReadConfigFile(const std::string& path, Config& config) {
  const DatabaseConfig defaults =
      config.databases.empty() ? DatabaseConfig() : config.databases.front();
  config.databases.clear();
  try {
    ReadMap(YAML::LoadFile(path),
            {{"databases", [&](const YAML::Node& node) { ReadDatabases(node, defaults, config); }},
             {"listen",
              [&](const YAML::Node& node) {
                if (!node.IsSequence()) throw Mistake(node, "listen must be a list of addresses");
                config.listen.clear();
                for (const auto& address : node) config.listen.push_back(ReadString(address));
              }},
             {"insecure", [&](const YAML::Node& node) { config.insecure = ReadBool(node); }},
             {"metrics_listen",
              [&](const YAML::Node& node) { config.metrics_listen = ReadString(node); }},
             {"metrics_tls", [&](const YAML::Node& node) { config.metrics_tls = ReadBool(node); }},
             {"metrics_token_file",
              [&](const YAML::Node& node) { config.metrics_token_file = ReadString(node); }},
             {"log_format",
              [&](const YAML::Node& node) {
                if (!ParseLogFormat(ReadString(node), config.log_format)) {
                  throw Mistake(node, "must be text or json");
                }
              }},
             {"tls", [&](const YAML::Node& node) { config.tls = ReadTls(node); }},
             {"authorization",
              [&](const YAML::Node& node) { config.authorization = ReadAuthorization(node); }},
             {"limits", [&](const YAML::Node& node) { config.limits = ReadLimits(node); }},
             {"shutdown_grace",
              [&](const YAML::Node& node) { config.shutdown_grace = ReadDuration(node); }},
             {"postgres_programs",
              [&](const YAML::Node& node) { config.postgres_programs = ReadString(node); }},
             {"takeover_after", [&](const YAML::Node& node) {
                config.operations.takeover_after = ReadDuration(node);
              }}});
  } catch (const Mistake& mistake) {
    return errors::InvalidRequest("config",
                                  absl::StrCat(path, ":", mistake.line(), ": ", mistake.problem()));
  } catch (const YAML::BadFile&) {
    return errors::InvalidRequest("config", absl::StrCat("cannot read ", path));
  } catch (const YAML::Exception& malformed) {
    return errors::InvalidRequest(
        "config", absl::StrCat(path, ":", malformed.mark.line + 1, ": ", malformed.msg));
  }
  if (config.databases.empty()) {
    return errors::InvalidRequest("config", absl::StrCat(path, ": has no databases"));
  }
  return absl::OkStatus();
}

}  // namespace migd
