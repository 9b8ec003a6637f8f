#include "service/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace migd {
namespace {

TEST(FindInvalidUtf8, AcceptsCharactersOfEveryLength) {
  EXPECT_EQ(FindInvalidUtf8("plain ascii text, ž, €, 🐘, \xEF\xBF\xBF, \xF4\x8F\xBF\xBF"),
            absl::nullopt);
}

TEST(FindInvalidUtf8, FindsAContinuationWithoutLead) { EXPECT_EQ(FindInvalidUtf8("ab\x80"), 2u); }

TEST(FindInvalidUtf8, FindsACharacterCutOffAtTheEnd) {
  EXPECT_EQ(FindInvalidUtf8("12345678\xE2\x82"), 8u);
}

TEST(FindInvalidUtf8, FindsACharacterCutOffByAnother) {
  EXPECT_EQ(FindInvalidUtf8("\xE2\x82z"), 0u);
}

TEST(FindInvalidUtf8, FindsOverlongForms) {
  EXPECT_EQ(FindInvalidUtf8("\xC1\x81"), 0u);
  EXPECT_EQ(FindInvalidUtf8("\xE0\x9F\xBF"), 0u);
  EXPECT_EQ(FindInvalidUtf8("\xF0\x8F\xBF\xBF"), 0u);
}

TEST(FindInvalidUtf8, FindsSurrogates) { EXPECT_EQ(FindInvalidUtf8("a\xED\xA0\x80"), 1u); }

TEST(FindInvalidUtf8, FindsWhatLiesAboveUnicode) {
  EXPECT_EQ(FindInvalidUtf8("\xF4\x90\x80\x80"), 0u);
  EXPECT_EQ(FindInvalidUtf8("\xF5\x80\x80\x80"), 0u);
}

TEST(CountCharacters, CountsCodePoints) { EXPECT_EQ(CountCharacters("až€🐘"), 4u); }

TEST(ToValidUtf8, LeavesValidTextAsItIs) {
  EXPECT_EQ(ToValidUtf8(""), "");
  EXPECT_EQ(ToValidUtf8("plain, ž, €, 🐘"), "plain, ž, €, 🐘");
}

TEST(ToValidUtf8, ReplacesEachByteThatIsNoPartOfACharacter) {
  EXPECT_EQ(ToValidUtf8("caf\xE9"), "caf\uFFFD");
  EXPECT_EQ(ToValidUtf8("\xE9t\xE9 ž"), "\uFFFDt\uFFFD ž");
  EXPECT_EQ(ToValidUtf8("\xE2\x82"), "\uFFFD\uFFFD");
  EXPECT_EQ(FindInvalidUtf8(ToValidUtf8("\xFF\xC0\xAF\xED\xA0\x80")), absl::nullopt);
}

TEST(CutAt, IsTheEndOfTextThatIsShortEnough) {
  EXPECT_EQ(CutAt("", 0), 0u);
  EXPECT_EQ(CutAt("abc", 3), 3u);
  EXPECT_EQ(CutAt("abc", 100), 3u);
}

TEST(CutAt, NeverLeavesAPartOfACharacter) {
  EXPECT_EQ(CutAt("a🐘b", 1), 1u);
  for (const size_t inside : {2u, 3u, 4u}) EXPECT_EQ(CutAt("a🐘b", inside), 1u) << inside;
  EXPECT_EQ(CutAt("a🐘b", 5), 5u);
  EXPECT_EQ(CutAt("🐘", 3), 0u);
}

TEST(Shortened, ShowsByDotsThatSomethingIsMissing) {
  EXPECT_EQ(Shortened("abc", 3), "abc");
  EXPECT_EQ(Shortened("abcd", 3), "abc...");
  EXPECT_EQ(Shortened("ab€d", 4), "ab...");
}

TEST(AppendCodePoint, EncodesEveryLength) {
  std::string text;
  for (const char32_t code_point : {U'a', U'ž', U'€', U'🐘'}) {
    EXPECT_TRUE(AppendCodePoint(code_point, text));
  }
  EXPECT_EQ(text, "až€🐘");
}

TEST(AppendCodePoint, RefusesWhatIsNoCharacter) {
  std::string text;
  EXPECT_FALSE(AppendCodePoint(0, text));
  EXPECT_FALSE(AppendCodePoint(0xD800, text));
  EXPECT_FALSE(AppendCodePoint(0x110000, text));
  EXPECT_EQ(text, "");
}

}  // namespace
}  // namespace migd
