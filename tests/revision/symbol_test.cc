#include "service/revision/symbol.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"

namespace migd {
namespace {

using migration::v1::ERROR_REASON_INVALID_SYMBOL;
using Start = RevisionSymbol::Start;

struct Parsed {
  const char* text;
  const char* branch;  // empty for none
  Start start;
  const char* name;
  int offset;  // 0 for none
};

class ParsesSymbol : public ::testing::TestWithParam<Parsed> {};

TEST_P(ParsesSymbol, IntoItsParts) {
  const absl::StatusOr<RevisionSymbol> symbol = RevisionSymbol::Parse(GetParam().text);
  ASSERT_TRUE(symbol.ok()) << symbol.status();
  EXPECT_EQ(symbol->text, GetParam().text);
  EXPECT_EQ(symbol->branch.value_or(""), GetParam().branch);
  EXPECT_EQ(symbol->start, GetParam().start);
  EXPECT_EQ(symbol->name, GetParam().name);
  EXPECT_EQ(symbol->offset.value_or(0), GetParam().offset);
}

INSTANTIATE_TEST_SUITE_P(
    RevisionSymbol, ParsesSymbol,
    ::testing::Values(
        Parsed{"ae1027a6acf", "", Start::kName, "ae1027a6acf", 0},
        Parsed{"ae", "", Start::kName, "ae", 0}, Parsed{"head", "", Start::kHead, "", 0},
        Parsed{"heads", "", Start::kHeads, "", 0}, Parsed{"base", "", Start::kBase, "", 0},
        Parsed{"current", "", Start::kCurrent, "", 0}, Parsed{"+2", "", Start::kUnnamed, "", 2},
        Parsed{"-1", "", Start::kUnnamed, "", -1}, Parsed{"ae10+2", "", Start::kName, "ae10", 2},
        Parsed{"ae10-3", "", Start::kName, "ae10", -3}, Parsed{"head-1", "", Start::kHead, "", -1},
        Parsed{"base+2", "", Start::kBase, "", 2}, Parsed{"current-1", "", Start::kCurrent, "", -1},
        Parsed{"shop@head", "shop", Start::kHead, "", 0},
        Parsed{"shop@heads", "shop", Start::kHeads, "", 0},
        Parsed{"shop@base", "shop", Start::kBase, "", 0},
        Parsed{"shop@ae10", "shop", Start::kName, "ae10", 0},
        Parsed{"shop@+1", "shop", Start::kUnnamed, "", 1},
        Parsed{"shop@-2", "shop", Start::kUnnamed, "", -2},
        Parsed{"shop@ae10-2", "shop", Start::kName, "ae10", -2},
        Parsed{"@head", "", Start::kHead, "", 0}, Parsed{"shop-eu", "", Start::kName, "shop-eu", 0},
        Parsed{"shop-eu@+1", "shop-eu", Start::kUnnamed, "", 1},
        Parsed{"shop-eu-1", "", Start::kName, "shop-eu", -1},
        Parsed{"a-2147483647", "", Start::kName, "a", -2147483647},
        Parsed{"v1.2", "", Start::kName, "v1.2", 0},
        Parsed{"headless", "", Start::kName, "headless", 0}));

class RefusesSymbol : public ::testing::TestWithParam<const char*> {};

TEST_P(RefusesSymbol, AsInvalid) {
  EXPECT_EQ(errors::ReasonOf(RevisionSymbol::Parse(GetParam()).status()),
            ERROR_REASON_INVALID_SYMBOL);
}

INSTANTIATE_TEST_SUITE_P(RevisionSymbol, RefusesSymbol,
                         ::testing::Values("", "@", "shop@", "a@b@c", "+", "-", "--1", "+1x",
                                           "ae10-1x", "ae10+1+2", "+x", "base-1", "base-0", "+0",
                                           "-0", "+99999999999", "-2147483648", "a:b", "a,b", "a b",
                                           " head", "head\n", "head@a", "base@head",
                                           "current@head"));

TEST(RevisionRange, HasBothEnds) {
  const RevisionRange range = RevisionRange::Parse("ae10:shop@head").value();
  EXPECT_EQ(range.lower->name, "ae10");
  EXPECT_EQ(range.upper->start, Start::kHead);
}

TEST(RevisionRange, MayLackEitherEndOrBoth) {
  EXPECT_FALSE(RevisionRange::Parse(":ae10").value().lower);
  EXPECT_FALSE(RevisionRange::Parse("ae10:").value().upper);
  EXPECT_FALSE(RevisionRange::Parse(":").value().lower);
  EXPECT_FALSE(RevisionRange::Parse("").value().upper);
}

TEST(RevisionRange, TakesRelativeEnds) {
  const RevisionRange range = RevisionRange::Parse("-3:current").value();
  EXPECT_EQ(*range.lower->offset, -3);
  EXPECT_EQ(range.upper->start, Start::kCurrent);
}

class RefusesRange : public ::testing::TestWithParam<const char*> {};

TEST_P(RefusesRange, AsInvalid) {
  EXPECT_EQ(errors::ReasonOf(RevisionRange::Parse(GetParam()).status()),
            ERROR_REASON_INVALID_SYMBOL);
}

INSTANTIATE_TEST_SUITE_P(RevisionRange, RefusesRange,
                         ::testing::Values("ae10", "a:b:c", "a :b", "+1x:", ":base-1"));

}  // namespace
}  // namespace migd
