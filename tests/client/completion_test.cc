#include "client/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/command_line.h"

namespace migctl {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

class FakeSource : public CompletionSource {
 public:
  std::vector<Candidate> Revisions() override {
    return {{"head", ""}, {"ae10", "add invoices"}, {"billing@head", ""}};
  }
  std::vector<Candidate> Operations() override { return {{"7k2m", "upgrade head, running"}}; }
  std::vector<Candidate> Databases() override { return {{"core", ""}, {"orders", ""}}; }
};

std::vector<std::string> Words(const std::vector<std::string>& words) {
  FakeSource source;
  std::vector<std::string> found;
  for (const Candidate& candidate : Complete(DescribeCommandLine(), words, source).candidates) {
    found.push_back(candidate.text);
  }
  return found;
}

TEST(Completion, CompletesOperations) {
  EXPECT_THAT(Words({"operations", "watch", ""}), ElementsAre("7k2m"));
  EXPECT_THAT(Words({"operations", "cancel", "8"}), IsEmpty());
}

TEST(Completion, CompletesDatabasesInEitherForm) {
  EXPECT_THAT(Words({"--database", "o"}), ElementsAre("orders"));
  EXPECT_THAT(Words({"current", "--database=o"}), ElementsAre("--database=orders"));
}

TEST(Completion, KeepsWhatStandsBeforeTheLastPart) {
  EXPECT_THAT(Words({"upgrade", "base:a"}), ElementsAre("base:ae10"));
  EXPECT_THAT(Words({"upgrade", "--from", "head,a"}), ElementsAre("head,ae10"));
  EXPECT_THAT(Words({"operations", "list", "--state=failed,c"}),
              ElementsAre("--state=failed,cancelled"));
}

TEST(Completion, TakesARelativeRevisionForAValue) {
  EXPECT_THAT(Words({"downgrade", "-1", ""}), IsEmpty());
  EXPECT_THAT(Words({"plan", "stamp", "-1", "ae"}), ElementsAre("ae10"));
}

TEST(Completion, OffersNoOptionsAfterTheirEnd) {
  EXPECT_THAT(Words({"show", "--", "--"}), IsEmpty());
  EXPECT_THAT(Words({"show", "--", "a"}), ElementsAre("ae10"));
}

TEST(Completion, AFlagWithAnOptionalValueTakesNoWordAfterIt) {
  EXPECT_THAT(Words({"upgrade", "--backup", "a"}), ElementsAre("ae10"));
  EXPECT_THAT(Words({"upgrade", "--backup=a"}), ElementsAre("--backup=always"));
}

TEST(Completion, PassesOverWhatItDoesNotKnow) {
  EXPECT_THAT(Words({"upgrad", ""}), Contains("upgrade"));
  EXPECT_THAT(Words({"current", "--nonsense", "--check"}), ElementsAre("--check-heads"));
}

TEST(Completion, HidesWhatTheHelpHides) {
  EXPECT_THAT(Words({""}), Not(Contains("__complete")));
  EXPECT_THAT(Words({"_"}), IsEmpty());
}

TEST(Completion, FindsTheOptionsOfTheConnectionWhereverTheyStand) {
  EXPECT_THAT(
      GlobalOptionsIn(DescribeCommandLine(), {"--server", "a:1", "upgrade", "--lock-retries", "3",
                                              "--database=core", "--yes", ""}),
      ElementsAre("--server", "a:1", "--database=core"));
}

TEST(Completion, TakesNoHelpForAnOptionOfTheConnection) {
  EXPECT_THAT(GlobalOptionsIn(DescribeCommandLine(), {"--help", "--version", "-h", "current", ""}),
              IsEmpty());
}

TEST(Completion, LeavesOutAnOptionOfTheConnectionWhoseValueIsBeingTyped) {
  EXPECT_THAT(GlobalOptionsIn(DescribeCommandLine(), {"--server", "a:1", "--database", "co"}),
              ElementsAre("--server", "a:1"));
}

}  // namespace
}  // namespace migctl
