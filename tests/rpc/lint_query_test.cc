#include "service/rpc/lint_query.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "tests/support/fake_workspace.h"

namespace migd {
namespace {

using migration::v1::Finding;
using migration::v1::LintRequest;
using migration::v1::LintResponse;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Three revisions, each of which drops a table.
class LintQueryTest : public ::testing::Test {
 protected:
  LintQueryTest() {
    for (const auto& [id, revises] :
         std::vector<std::pair<std::string, std::string>>{{"a", ""}, {"b", "a"}, {"c", "b"}}) {
      files_.Write({id, revises, "\nDROP TABLE t_" + id + ";\n", "\nSELECT 1;\n"});
    }
  }

  // The revisions in which something was found, in the order of the findings.
  std::vector<std::string> Lint(const std::vector<std::string>& revisions, bool all = false) {
    LintRequest request;
    request.mutable_revisions()->Add(revisions.begin(), revisions.end());
    request.set_all(all);
    response_.Clear();
    status_ = AnswerLint(Opened(), request, response_);
    std::vector<std::string> found;
    for (const Finding& finding : response_.findings()) found.push_back(finding.revision());
    return found;
  }

  const Catalog& Opened() {
    if (catalog_ == nullptr) {
      std::vector<std::unique_ptr<Workspace>> workspaces;
      workspaces.push_back(files_.Take());
      catalog_ = std::make_unique<Catalog>(std::move(workspaces));
    }
    return *catalog_;
  }

  FakeWorkspace files_;
  std::unique_ptr<Catalog> catalog_;
  LintResponse response_;
  absl::Status status_;
};

TEST_F(LintQueryTest, LooksAtWhatTheDatabaseDoesNotHave) {
  files_.database().SetRows({"a"});
  EXPECT_THAT(Lint({}), ElementsAre("b", "c"));
  EXPECT_EQ(response_.revision_count(), 2);
  EXPECT_EQ(response_.warning_count(), 2);
  EXPECT_EQ(response_.error_count(), 0);
  EXPECT_FALSE(response_.has_database_error());
  EXPECT_GT(response_.rules_size(), 50);
}

TEST_F(LintQueryTest, LooksAtAllIfTheDatabaseCannotBeAsked) {
  files_.database().RefuseConnections(errors::DatabaseUnavailable("app", "is away"));
  EXPECT_THAT(Lint({}), ElementsAre("a", "b", "c"));
  EXPECT_EQ(response_.database_error().reason(), "DATABASE_UNAVAILABLE");
}

TEST_F(LintQueryTest, LooksAtAllWithoutADatabase) {
  files_.workspace().database = nullptr;
  EXPECT_THAT(Lint({}), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(response_.has_database_error());
  EXPECT_THAT(Lint({"current"}), IsEmpty());
  EXPECT_EQ(errors::ReasonOf(status_), migration::v1::ERROR_REASON_OFFLINE);
}

TEST_F(LintQueryTest, TakesSymbolsAndRanges) {
  files_.database().SetRows({"c"});
  EXPECT_THAT(Lint({}), IsEmpty());
  EXPECT_THAT(Lint({}, true), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Lint({"head", "a"}), ElementsAre("a", "c"));
  EXPECT_THAT(Lint({"b:", "c"}), ElementsAre("b", "c"));
  EXPECT_THAT(Lint({"current"}), ElementsAre("c"));
  Lint({"nowhere"});
  EXPECT_EQ(errors::ReasonOf(status_), migration::v1::ERROR_REASON_UNKNOWN_REVISION);
  Lint({"a"}, true);
  EXPECT_EQ(errors::ReasonOf(status_), migration::v1::ERROR_REASON_INVALID_REQUEST);
}

TEST_F(LintQueryTest, ProposesOnlyWhatIsNotApplied) {
  files_.Write({"d", "c", "\nCREATE INDEX i ON t (a);\n", "\nDROP INDEX i;\n"});
  files_.Write({"e", "d", "\nCREATE INDEX j ON t (a);\n", "\nDROP INDEX j;\n"});
  files_.database().SetRows({"d"});
  LintRequest request;
  request.set_all(true);
  request.set_fix(true);
  ASSERT_TRUE(AnswerLint(Opened(), request, response_).ok());
  ASSERT_THAT(response_.proposals(), SizeIs(1));
  EXPECT_EQ(response_.proposals(0).revision(), "e");
}

}  // namespace
}  // namespace migd
