#include "service/rpc/paging.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"

namespace migd {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

constexpr PageLimits kLimits = {10, 25};

// The pages of a list, from the first to the last.
std::vector<std::pair<size_t, size_t>> PagesOf(size_t total, int page_size) {
  std::vector<std::pair<size_t, size_t>> pages;
  std::string token;
  do {
    const auto page = FindPage(total, page_size, token, kLimits, "list");
    EXPECT_TRUE(page.ok()) << page.status();
    pages.emplace_back(page->begin, page->end);
    token = page->next_token;
  } while (!token.empty() && pages.size() < 100);
  return pages;
}

bool IsRefused(size_t total, int page_size, const std::string& token,
               const std::string& fingerprint = "list") {
  const auto page = FindPage(total, page_size, token, kLimits, fingerprint);
  return errors::ReasonOf(page.status()) == migration::v1::ERROR_REASON_INVALID_REQUEST;
}

TEST(FindPage, GoesThroughTheWholeList) {
  EXPECT_THAT(PagesOf(7, 3), ElementsAre(Pair(0, 3), Pair(3, 6), Pair(6, 7)));
}

TEST(FindPage, TheLastPageHasNoToken) {
  EXPECT_THAT(PagesOf(6, 3), ElementsAre(Pair(0, 3), Pair(3, 6)));
  EXPECT_THAT(PagesOf(0, 3), ElementsAre(Pair(0, 0)));
}

TEST(FindPage, ZeroMeansTheNormalSizeAndTooMuchTheMost) {
  EXPECT_THAT(PagesOf(11, 0), ElementsAre(Pair(0, 10), Pair(10, 11)));
  EXPECT_THAT(PagesOf(26, 1000), ElementsAre(Pair(0, 25), Pair(25, 26)));
}

TEST(FindPage, RefusesANegativeSize) { EXPECT_TRUE(IsRefused(7, -1, "")); }

TEST(FindPage, RefusesATokenOfAnotherListOrOfNone) {
  const std::string token = FindPage(7, 3, "", kLimits, "list")->next_token;
  EXPECT_FALSE(IsRefused(7, 3, token));
  EXPECT_TRUE(IsRefused(7, 3, token, "another list"));
  for (const std::string& forged :
       std::vector<std::string>{"x", "-", "-3", "3", token + "x", "\xff"}) {
    EXPECT_TRUE(IsRefused(7, 3, forged)) << forged;
  }
}

TEST(FindPage, ATokenBehindTheEndOfAListThatShrankGivesAnEmptyLastPage) {
  const std::string token = FindPage(7, 5, "", kLimits, "list")->next_token;
  const auto page = FindPage(2, 5, token, kLimits, "list");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->begin, page->end);
  EXPECT_EQ(page->next_token, "");
}

TEST(PlaceOfToken, IsThePlaceThatTheTokenWasMadeOf) {
  EXPECT_EQ(PlaceOfToken(TokenOfPlace("17,4", "list"), "list").value(), "17,4");
  EXPECT_EQ(PlaceOfToken("", "list").value(), "");
  EXPECT_EQ(TokenOfPlace("", "list"), "");
  EXPECT_FALSE(PlaceOfToken(TokenOfPlace("17,4", "list"), "another list").ok());
  EXPECT_FALSE(PlaceOfToken("17,4", "list").ok());
}

TEST(PageSize, IsBounded) {
  EXPECT_EQ(PageSize(0, kLimits).value(), kLimits.normal);
  EXPECT_EQ(PageSize(1'000'000, kLimits).value(), kLimits.most);
  EXPECT_FALSE(PageSize(-1, kLimits).ok());
}

}  // namespace
}  // namespace migd
