#include "service/lint/lint.h"

#include "absl/strings/str_cat.h"

namespace migd {
namespace {

using migration::v1::Finding;
using migration::v1::LintRule;
using migration::v1::Severity;

LintRule RuleWith(const std::string& name, Severity severity, const std::string& description,
                  const LintSeverities& severities) {
  LintRule rule;
  rule.set_rule(name);
  rule.set_default_severity(severity);
  const auto configured = severities.find(name);
  rule.set_severity(configured == severities.end() ? severity : configured->second);
  rule.set_description(description);
  return rule;
}

}  // namespace

std::vector<LintRule> LintRules(const LintSeverities& severities) {
  return {RuleWith("missing-down", migration::v1::SEVERITY_WARNING,
                   "a revision without a `-- migrate:down` section cannot be taken back",
                   severities)};
}

std::vector<Finding> LintFile(const MigrationFile& file, const LintSeverities& severities) {
  std::vector<Finding> findings;
  const LintRule rule = LintRules(severities).front();
  if (file.down().present || rule.severity() == migration::v1::SEVERITY_OFF) return findings;
  Finding& finding = findings.emplace_back();
  finding.set_rule(rule.rule());
  finding.set_severity(rule.severity());
  finding.set_revision(file.revision().id);
  finding.set_path(file.revision().path);
  finding.set_line(file.up().line);
  finding.set_column(1);
  finding.set_direction(migration::v1::DIRECTION_UPGRADE);
  finding.set_message(
      absl::StrCat("revision ", file.revision().id, " has no `-- migrate:down` section"));
  finding.set_suggestion(
      "add `-- migrate:down` with what undoes the revision, empty if nothing is");
  return findings;
}

}  // namespace migd
