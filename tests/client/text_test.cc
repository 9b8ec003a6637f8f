#include "client/text.h"

#include <gtest/gtest.h>

namespace migctl {
namespace {

TEST(Text, KnowsUtf8) {
  for (const char* text : {"", "a", "caf\u00e9", "\u65e5\u672c", "\U0001F600"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
  }
  for (const char* text : {"caf\xE9", "\xff", "\xc3", "\xe6\x97", "\xed\xa0\x80", "a\x80"}) {
    EXPECT_FALSE(IsUtf8(text)) << text;
  }
}

TEST(DisplayWidth, CountsColumnsAndNotBytes) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("äöü"), 3);
  EXPECT_EQ(DisplayWidth("表の列"), 6);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1);
  EXPECT_EQ(DisplayWidth("\x1b[1;31mred\x1b[0m"), 3);
}

TEST(Truncate, KeepsWhatFits) {
  EXPECT_EQ(Truncate("abc", 3), "abc");
  EXPECT_EQ(Truncate("abcd", 3), "ab…");
  EXPECT_EQ(Truncate("abcd", 1), "…");
  EXPECT_EQ(Truncate("abcd", 0), "");
}

TEST(Truncate, NeverCutsACharacterInHalf) {
  EXPECT_EQ(Truncate("表の列", 4), "表…");
  EXPECT_EQ(Truncate("äöüß", 3), "äö…");
}

TEST(Truncate, EndsAColorThatItCutsInto) {
  EXPECT_EQ(Truncate("\x1b[2mabcdef\x1b[0m", 3), "\x1b[2mab…\x1b[0m");
}

TEST(Escape, LeavesTextOfAnyLanguageAlone) {
  EXPECT_EQ(Escape("Tabelle für 表 \"x\" 🎉"), "Tabelle für 表 \"x\" 🎉");
}

TEST(Escape, ShowsControlCharactersInsteadOfSendingThem) {
  EXPECT_EQ(Escape("a\x1b[2Jb"), "a\\x1b[2Jb");
  EXPECT_EQ(Escape("a\r\n\tb\x7f"), "a\\r\\n\\tb\\x7f");
  EXPECT_EQ(Escape("\xc2\x9b"
                   "31m"),
            "\\u009b31m");
}

TEST(Escape, ShowsWhatWouldReorderTheLine) {
  EXPECT_EQ(Escape("a\u202e"
                   "b"),
            "a\\u202eb");
}

TEST(Escape, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(Escape("a\xff"
                   "b\xc3"),
            "a\\xffb\\xc3");
  EXPECT_EQ(Escape("\xc0\xaf"), "\\xc0\\xaf");
  EXPECT_EQ(Escape("\xed\xa0\x80"), "\\xed\\xa0\\x80");
}

TEST(EscapedLines, SplitsAtNewlinesAndDropsEmptyLinesAtTheEnd) {
  EXPECT_EQ(EscapedLines("a\r\n\nb\x1b\n\n"), (std::vector<std::string>{"a", "", "b\\x1b"}));
}

TEST(Count, UsesTheSingularForOne) {
  EXPECT_EQ(Count(1, "revision"), "1 revision");
  EXPECT_EQ(Count(0, "revision"), "0 revisions");
}

}  // namespace
}  // namespace migctl
