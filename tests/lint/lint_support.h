// Migration files for the tests of lint.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "service/lint/lint.h"
#include "service/script/migration_file.h"

namespace migd {

// A file from its sections, each with what follows its marker. Its `up` begins on line 4.
inline std::shared_ptr<const MigrationFile> LintedFile(const std::string& up,
                                                       const std::string& down,
                                                       const std::string& header = "-- a step") {
  MigrationFile::ParseResult result = MigrationFile::Parse(
      "a_step.sql",
      absl::StrCat(header, "\n-- Revision ID: a\n-- migrate:up", up, "\n-- migrate:down", down));
  for (const std::string& problem : result.problems) ADD_FAILURE() << problem;
  return result.file;
}

// What follows a marker for SQL that may begin with "outside:", for `transaction:false`.
inline std::string SectionOfSql(absl::string_view sql) {
  const bool outside = absl::ConsumePrefix(&sql, "outside:");
  return absl::StrCat(outside ? " transaction:false\n" : "\n", sql, "\n");
}

// A file whose up section is `sql`, and which has a down section that does something.
inline std::shared_ptr<const MigrationFile> UpFile(const std::string& sql) {
  return LintedFile(SectionOfSql(sql), "\nSELECT 1;\n");
}

// Every rule at the severity error or warning that it has; those that are off are warnings.
inline LintSeverities AllRulesOn() {
  LintSeverities severities;
  for (const auto& rule : LintRules({})) {
    severities[rule.rule()] = std::max(rule.default_severity(), migration::v1::SEVERITY_WARNING);
  }
  return severities;
}

// The rules of the findings that are not waived.
inline std::vector<std::string> RulesOf(const std::vector<migration::v1::Finding>& findings) {
  std::vector<std::string> rules;
  for (const auto& finding : findings) {
    if (!finding.is_waived()) rules.push_back(finding.rule());
  }
  return rules;
}

}  // namespace migd
