#include "client/lint_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "client/replace_file.h"
#include "tests/support/json.h"

namespace migctl {
namespace {

using migd::Json;
using migration::v1::Finding;
using migration::v1::LintResponse;
using migration::v1::ProposedFile;
using testing::HasSubstr;
using testing::Not;

// A response with an error, a warning, and a finding that is waived.
LintResponse Response() {
  LintResponse response;
  Finding& error = *response.add_findings();
  error.set_rule("index-not-concurrent");
  error.set_severity(migration::v1::SEVERITY_ERROR);
  error.set_path("7c20_index.sql");
  error.set_line(2);
  error.set_column(3);
  error.set_message("building index i: 100% of writes wait");
  error.set_suggestion("CREATE INDEX CONCURRENTLY");
  Finding& warning = *response.add_findings();
  warning = error;
  warning.set_rule("drop-table");
  warning.set_severity(migration::v1::SEVERITY_WARNING);
  warning.set_line(9);
  Finding& waived = *response.add_findings();
  waived = warning;
  waived.set_is_waived(true);
  waived.set_waiver_reason("it is \"empty\"");
  response.set_error_count(1);
  response.set_warning_count(1);
  response.set_waived_count(1);
  response.set_revision_count(2);
  for (const char* name : {"drop-table", "index-not-concurrent"}) {
    auto& rule = *response.add_rules();
    rule.set_rule(name);
    rule.set_severity(migration::v1::SEVERITY_WARNING);
    rule.set_default_severity(migration::v1::SEVERITY_ERROR);
    rule.set_description("What it finds.");
  }
  return response;
}

LintFiles Files(const std::string& directory = "./db/migrations/") {
  return {directory,
          {{"7c20_index.sql",
            "-- migrate:up\n\t\xC3\xA4"
            "CREATE INDEX i ON t (a);\r\n"}}};
}

TEST(LintText, IsLikeACompilers) {
  LintResponse response = Response();
  response.mutable_findings()->DeleteSubrange(1, 2);
  EXPECT_EQ(LintText(response, Files(), TextSettings()),
            "error: building index i: 100% of writes wait [index-not-concurrent]\n"
            "  --> db/migrations/7c20_index.sql:2:3\n"
            "   |\n"
            " 2 |     \xC3\xA4"
            "CREATE INDEX i ON t (a);\n"
            "   |      ^^^^^^\n"
            "instead: CREATE INDEX CONCURRENTLY\n"
            "\n"
            "1 error, 1 warning, 1 waived in 2 revisions\n");
}

TEST(LintText, DoesWithoutTheFile) {
  EXPECT_THAT(LintText(Response(), {"elsewhere", {}}, TextSettings()),
              HasSubstr("  --> elsewhere/7c20_index.sql:2:3\ninstead: "));
}

TEST(LintText, LeavesOutWhatIsWaived) {
  EXPECT_THAT(LintText(Response(), Files(), TextSettings()), Not(HasSubstr("empty")));
}

TEST(LintSummary, CountsWhatCouldNotBeRead) {
  LintResponse response;
  response.set_revision_count(1);
  response.set_unknown_statement_count(2);
  EXPECT_EQ(LintSummary(response),
            "0 errors, 0 warnings in 1 revision; 2 statements could not be read");
}

TEST(LintGitHub, EscapesWhatEndsACommand) {
  LintResponse response = Response();
  response.mutable_findings(0)->set_path("a,b:c.sql");
  response.mutable_findings(0)->set_message("two\nlines, 100%");
  EXPECT_EQ(LintGitHub(response, {".", {}}),
            "::error file=a%2Cb%3Ac.sql,line=2,col=3,title=index-not-concurrent::two%0Alines, "
            "100%25%0AInstead: CREATE INDEX CONCURRENTLY\n"
            "::warning file=7c20_index.sql,line=9,col=3,title=drop-table::building index i: 100%25 "
            "of writes wait%0AInstead: CREATE INDEX CONCURRENTLY\n");
}

// What SARIF 2.1.0 demands of a log.
TEST(LintSarif, HasTheFormOfTheStandard) {
  const Json log = Json::Parse(LintSarif(Response(), {"/srv/my files", {}}));
  EXPECT_EQ(log["version"].text(), "2.1.0");
  EXPECT_THAT(log["$schema"].text(), HasSubstr("sarif-schema-2.1.0.json"));
  ASSERT_EQ(log["runs"].size(), 1);
  const Json run = log["runs"][0];
  EXPECT_EQ(run["columnKind"].text(), "unicodeCodePoints");
  EXPECT_EQ(run["tool"]["driver"]["name"].text(), "migctl");
  const Json rules = run["tool"]["driver"]["rules"];
  ASSERT_EQ(rules.size(), 2);
  EXPECT_EQ(rules[0]["id"].text(), "drop-table");
  EXPECT_EQ(rules[0]["shortDescription"]["text"].text(), "What it finds.");
  EXPECT_EQ(rules[0]["defaultConfiguration"]["level"].text(), "warning");
  const Json results = run["results"];
  ASSERT_EQ(results.size(), 3);
  for (int i = 0; i < results.size(); ++i) {
    const std::string index = results[i]["ruleIndex"].text();
    EXPECT_EQ(rules[std::stoi(index)]["id"].text(), results[i]["ruleId"].text());
    EXPECT_NE(results[i]["message"]["text"].text(), "");
  }
  EXPECT_EQ(results[0]["level"].text(), "error");
  const Json location = results[0]["locations"][0]["physicalLocation"];
  EXPECT_EQ(location["artifactLocation"]["uri"].text(), "file:///srv/my%20files/7c20_index.sql");
  EXPECT_EQ(location["region"]["startLine"].text(), "2");
  EXPECT_EQ(location["region"]["startColumn"].text(), "3");
  EXPECT_FALSE(results[1].Has("suppressions"));
  EXPECT_EQ(results[2]["suppressions"][0]["kind"].text(), "inSource");
  EXPECT_EQ(results[2]["suppressions"][0]["justification"].text(), "it is \"empty\"");
}

TEST(LintRulesText, TellsSeveritiesThatWereSet) {
  EXPECT_THAT(LintRulesText(Response(), TextSettings()),
              HasSubstr("drop-table  warning (by itself error)\n    What it finds.\n"));
}

ProposedFile Proposal() {
  ProposedFile proposal;
  proposal.set_path("a.sql");
  proposal.set_content("one\nTWO\nthree\nfour\n");
  proposal.set_diff("--- a/a.sql\n+++ b/a.sql\n@@ -1,3 +1,4 @@\n one\n-two\n+TWO\n three\n+four\n");
  return proposal;
}

TEST(Proposals, LeadOnlyFromTheFileThatWasRead) {
  EXPECT_TRUE(LeadsToProposal("one\ntwo\nthree\n", Proposal()));
  EXPECT_FALSE(LeadsToProposal("one\n2\nthree\n", Proposal()));
  EXPECT_FALSE(LeadsToProposal("one\ntwo\nthree\nmore\n", Proposal()));
  EXPECT_FALSE(LeadsToProposal("one\n", Proposal()));
}

}  // namespace
}  // namespace migctl
