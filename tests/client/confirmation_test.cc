// Asking whether data may be destroyed.
#include "client/confirmation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/client/command_fixture.h"

namespace migctl {
namespace {

using testing::HasSubstr;
using testing::Not;

// What comes of a person who types `line`; of one who leaves, if it is nothing.
std::optional<migration::v1::Error> AskWith(const std::optional<std::string>& line, Captured& shown,
                                            migration::v1::Error error = {}) {
  error.set_reason("CONFIRMATION_REQUIRED");
  (*error.mutable_metadata())["database"] = "core";
  (*error.mutable_metadata())["confirmation"] = "c0de";
  EXPECT_TRUE(CanBeConfirmed(error));
  Terminal out(shown.Sink(), TerminalTraits());
  Terminal err(shown.Sink(), TerminalTraits());
  Output output(OutputFormat::kText, out, err);
  Prompt prompt;
  prompt.available = true;
  prompt.ask = [&](const std::string&) { return line; };
  return AskForConfirmation(error, prompt, output);
}

TEST(AskForConfirmation, IsGivenByTheNameOfTheDatabase) {
  Captured shown;
  EXPECT_FALSE(AskWith("core", shown).has_value());
  EXPECT_FALSE(AskWith(" core ", shown).has_value());
  EXPECT_THAT(shown.text(), HasSubstr("This destroys data of database core"));
}

TEST(AskForConfirmation, NamesWhatNobodyKnowsBesideWhatIsLost) {
  Captured known;
  AskWith("core", known);
  EXPECT_THAT(known.text(), Not(HasSubstr("only when they run")));

  migration::v1::Error error;
  migration::v1::UnknownStatement& statement = *error.mutable_losses()->add_unknown_statements();
  statement.set_revision("a91f");
  statement.set_line(7);
  statement.set_summary("DO ?");
  error.mutable_losses()->set_omitted_unknown_count(3);
  Captured alone;
  AskWith("core", alone, error);
  EXPECT_THAT(alone.text(), AllOf(HasSubstr("This may destroy data of database"),
                                  HasSubstr("shows only when it runs:\n  DO ? (a91f, line 7)\n")));

  error.mutable_losses()->add_losses()->set_object_kind("table");
  Captured shown;
  AskWith("core", shown, error);
  EXPECT_THAT(shown.text(), HasSubstr("What these do besides shows only when they run:\n"
                                      "  DO ? (a91f, line 7)\n  and 3 more\n"));
}

TEST(AskForConfirmation, CallsAWrongNameWrong) {
  Captured shown;
  const auto declined = AskWith("cor", shown);
  ASSERT_TRUE(declined.has_value());
  EXPECT_EQ(declined->message(), "\"cor\" is not the name of the database, core; nothing was done");
  EXPECT_EQ(declined->reason(), "CONFIRMATION_REQUIRED");
}

TEST(AskForConfirmation, TakesNothingForNo) {
  Captured shown;
  for (const std::optional<std::string>& line : {std::optional<std::string>(""), {std::nullopt}}) {
    const auto declined = AskWith(line, shown);
    ASSERT_TRUE(declined.has_value());
    EXPECT_EQ(declined->message(), "it was not confirmed; nothing was done");
  }
}

}  // namespace
}  // namespace migctl
