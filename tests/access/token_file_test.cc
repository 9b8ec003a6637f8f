#include "service/access/token_file.h"

#include <sys/stat.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "tests/support/temporary_directory.h"

namespace migd {
namespace {

using ::testing::HasSubstr;

constexpr char kToken[] = "correct-horse-battery-staple";
const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

std::string LineOf(const std::string& name, const std::string& token,
                   absl::Time expires = absl::InfiniteFuture()) {
  const auto line = TokenLine(name, token, expires);
  EXPECT_TRUE(line.ok()) << line.status();
  return line.value_or("") + "\n";
}

std::string ProblemWith(const std::string& contents) {
  const auto tokens = TokenList::Parse(contents, "tokens");
  return tokens.ok() ? "" : std::string(tokens.status().message());
}

TEST(TokenList, FindsTheNameOfAToken) {
  const auto tokens = TokenList::Parse(
      absl::StrCat("# two\n\n", LineOf("ci", NewToken()), "  ", LineOf("deploy", kToken)),
      "tokens");
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  const auto name = tokens->Find(kToken, kNow);
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_EQ(*name, "deploy");
}

TEST(TokenList, RefusesWhatItDoesNotKnow) {
  const auto tokens = TokenList::Parse(LineOf("deploy", kToken), "tokens");
  ASSERT_TRUE(tokens.ok());
  // Also the hash itself: whoever reads the file has no token.
  for (const std::string& token : {std::string(), std::string("deploy"), kToken + std::string("x"),
                                   std::string(kToken).substr(1), tokens->entries()[0].hash}) {
    EXPECT_EQ(errors::ReasonOf(tokens->Find(token, kNow).status()),
              migration::v1::ERROR_REASON_UNAUTHENTICATED)
        << token;
  }
}

TEST(TokenList, ATokenIsGoodUntilItExpires) {
  const auto tokens = TokenList::Parse(LineOf("deploy", kToken, kNow), "tokens");
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  EXPECT_TRUE(tokens->Find(kToken, kNow - absl::Seconds(1)).ok());
  const auto expired = tokens->Find(kToken, kNow);
  EXPECT_EQ(errors::ReasonOf(expired.status()), migration::v1::ERROR_REASON_UNAUTHENTICATED);
  EXPECT_THAT(std::string(expired.status().message()), HasSubstr("2027-01-15T08:00:00"));
}

TEST(TokenList, NamesTheLineThatIsWrong) {
  const std::string good = LineOf("deploy", kToken);
  EXPECT_EQ(ProblemWith(good), "");
  EXPECT_THAT(ProblemWith(good + "ci\n"), HasSubstr("tokens:2: write NAME sha256:HEX"));
  EXPECT_THAT(ProblemWith("a/b sha256:00\n"), HasSubstr("tokens:1: the name"));
  EXPECT_THAT(ProblemWith("ci sha256:00\n"), HasSubstr("tokens:1: the hash"));
  EXPECT_THAT(ProblemWith("ci correct-horse-battery-staple\n"), HasSubstr("tokens:1: the hash"));
  EXPECT_THAT(ProblemWith(good + good), HasSubstr("tokens:2: the name or the hash"));
  EXPECT_THAT(ProblemWith(good.substr(0, good.size() - 1) + " tomorrow\n"),
              HasSubstr("tokens:1: the time of expiry"));
}

TEST(TokenList, RefusesAFileThatOthersMayWrite) {
  const TemporaryDirectory directory;
  const std::string path = directory.Write("tokens", LineOf("deploy", kToken));
  chmod(path.c_str(), 0640);
  EXPECT_TRUE(TokenList::Read(path).ok());
  chmod(path.c_str(), 0660);
  EXPECT_THAT(std::string(TokenList::Read(path).status().message()), HasSubstr("chmod go-w"));
  EXPECT_THAT(std::string(TokenList::Read(directory.path() + "/none").status().message()),
              HasSubstr("cannot read"));
}

TEST(TokenLine, RefusesWhatCouldBeGuessedOrSentInNoHeader) {
  EXPECT_FALSE(TokenLine("deploy", "password", absl::InfiniteFuture()).ok());
  EXPECT_FALSE(TokenLine("deploy", "correct horse battery staple", absl::InfiniteFuture()).ok());
  EXPECT_FALSE(TokenLine("de ploy", kToken, absl::InfiniteFuture()).ok());
  EXPECT_TRUE(TokenLine("deploy", NewToken(), absl::InfiniteFuture()).ok());
}

TEST(NewToken, IsAnotherEachTime) { EXPECT_NE(NewToken(), NewToken()); }

}  // namespace
}  // namespace migd
