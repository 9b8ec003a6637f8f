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
