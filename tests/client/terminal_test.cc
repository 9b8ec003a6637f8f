#include "client/terminal.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <string>
#include <utility>

namespace migctl {
namespace {

constexpr char kErase[] = "\r\x1b[K";

TerminalTraits Smart(int width) {
  TerminalTraits traits;
  traits.smart = true;
  traits.width = [width] { return width; };
  return traits;
}

Environment Variables(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

class TerminalTest : public testing::Test {
 protected:
  Terminal::Sink Sink() {
    return [this](absl::string_view bytes) { written_ += std::string(bytes); };
  }
  std::string Take() { return std::exchange(written_, ""); }

  std::string written_;
};

TEST_F(TerminalTest, ReplacesTheLiveLine) {
  Terminal terminal(Sink(), Smart(80));
  terminal.SetLiveLine("one");
  EXPECT_EQ(Take(), "one");
  terminal.SetLiveLine("two");
  EXPECT_EQ(Take(), std::string(kErase) + "two");
}

TEST_F(TerminalTest, WritesNothingForTheSameLiveLine) {
  Terminal terminal(Sink(), Smart(80));
  terminal.SetLiveLine("one");
  Take();
  terminal.SetLiveLine("one");
  EXPECT_EQ(Take(), "");
}

TEST_F(TerminalTest, PrintsLinesAboveTheLiveLine) {
  Terminal terminal(Sink(), Smart(80));
  terminal.SetLiveLine("live");
  Take();
  terminal.Print("line\n");
  EXPECT_EQ(Take(), std::string(kErase) + "line\nlive");
}

TEST_F(TerminalTest, RemovesTheLiveLine) {
  Terminal terminal(Sink(), Smart(80));
  terminal.SetLiveLine("live");
  Take();
  terminal.ClearLiveLine();
  EXPECT_EQ(Take(), kErase);
  terminal.Print("line\n");
  EXPECT_EQ(Take(), "line\n");
}

TEST_F(TerminalTest, ShortensTheLiveLineSoThatItDoesNotWrap) {
  Terminal terminal(Sink(), Smart(10));
  terminal.SetLiveLine("abcdefghijkl");
  EXPECT_EQ(Take(), "abcdefgh…");
}

TEST_F(TerminalTest, HasNoLiveLineWhereLinesCannotBeRedrawn) {
  Terminal terminal(Sink(), TerminalTraits());
  terminal.SetLiveLine("live");
  terminal.Print("line\n");
  terminal.ClearLiveLine();
  EXPECT_EQ(Take(), "line\n");
}

TEST(Style, AddsNothingWithoutColor) {
  EXPECT_EQ(Style(false).Error("x"), "x");
  EXPECT_EQ(Style(true).Error("x"), "\x1b[1;31mx\x1b[0m");
  EXPECT_EQ(Style(true).Error(""), "");
}

class DetectTerminalTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(pipe(pipe_), 0); }
  void TearDown() override {
    close(pipe_[0]);
    close(pipe_[1]);
  }

  TerminalTraits Detect(ColorMode mode, std::map<std::string, std::string> variables) {
    return DetectTerminal(pipe_[1], mode, Variables(std::move(variables)));
  }

  int pipe_[2] = {-1, -1};
};

TEST_F(DetectTerminalTest, FindsAPipePlainAndUnlimited) {
  const TerminalTraits traits = Detect(ColorMode::kAuto, {{"TERM", "xterm"}});
  EXPECT_FALSE(traits.smart);
  EXPECT_FALSE(traits.color);
  EXPECT_EQ(traits.width(), 0);
}

TEST_F(DetectTerminalTest, ColorsAPipeOnlyWhenTold) {
  EXPECT_TRUE(Detect(ColorMode::kAlways, {{"NO_COLOR", "1"}}).color);
  EXPECT_FALSE(Detect(ColorMode::kNever, {}).color);
}

}  // namespace
}  // namespace migctl
