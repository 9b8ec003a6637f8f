// The small parts: log, time, hash and mutex.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/log.h"
#include "service/base/mutex.h"
#include "service/base/proto_time.h"
#include "service/base/sha256.h"

namespace migd {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

// What `write` logs.
template <typename Write>
std::string Logged(Write write) {
  ::testing::internal::CaptureStderr();
  write();
  return ::testing::internal::GetCapturedStderr();
}

TEST(Log, WritesOneLineWithTimeLevelMessageAndFields) {
  EXPECT_THAT(Logged([] {
                LogInfo("operation accepted", {{"operation", "7k2m"}});
              }),
              MatchesRegex("[0-9-]+T[0-9:]+\\.[0-9]+Z info operation accepted operation=7k2m\n"));
  EXPECT_THAT(Logged([] { LogWarning("w"); }), HasSubstr(" warning w\n"));
  EXPECT_THAT(Logged([] { LogError("e"); }), HasSubstr(" error e\n"));
}

TEST(Log, QuotesWhatWouldBeMisread) {
  EXPECT_THAT(Logged([] {
                LogInfo("m", {{"a", "two words"}, {"c", "x=\"y\""}});
              }),
              EndsWith("a=\"two words\" c=\"x=\\\"y\\\"\"\n"));
}

TEST(Log, LeavesOutWhatHasNoValue) {
  EXPECT_THAT(Logged([] {
                LogInfo("m", {{"a", "1"}, {"b", ""}, {"c", "2"}});
              }),
              EndsWith(" info m a=1 c=2\n"));
}

TEST(Log, MasksPasswords) {
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    SetLogFormat(format);
    const std::string line = Logged([] {
      LogInfo("m", {{"url", "postgresql://app:hunter2@db/core"},
                    {"sql", "ALTER ROLE app PASSWORD 'hunter2'"}});
    });
    EXPECT_EQ(line.find("hunter2"), std::string::npos) << line;
    EXPECT_NE(line.find("app:*******@db/core"), std::string::npos) << line;
  }
  SetLogFormat(LogFormat::kText);
}

TEST(Log, WritesAnObjectALineInJson) {
  SetLogFormat(LogFormat::kJson);
  const std::string line = Logged([] {
    LogWarning("a \"b\"", {{"x", "one\ntwo\t\x1b"}, {"y", ""}, {"z", "\xff<"}});
  });
  SetLogFormat(LogFormat::kText);
  EXPECT_THAT(line, MatchesRegex("\\{\"time\":\"[0-9-]+T[0-9:]+\\.[0-9]+Z\",.*"));
  EXPECT_THAT(line, EndsWith("\"level\":\"warning\",\"message\":\"a \\\"b\\\"\","
                             "\"x\":\"one\\u000atwo\\u0009\\u001b\",\"z\":\"\uFFFD\\u003c\"}\n"));
}

TEST(Log, AMessageCannotForgeALine) {
  const std::string line = Logged([] { LogInfo("one\ntwo", {{"error", "a\nb\x1b[31m"}}); });
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
}

TEST(Log, LinesOfThreadsDoNotMix) {
  const std::string text = Logged([] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([] {
        for (int n = 0; n < 50; ++n) LogInfo("message", {{"field", std::string(300, 'x')}});
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  const std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  EXPECT_EQ(lines.size(), 400U);
  for (const std::string& line : lines) {
    EXPECT_THAT(line, EndsWith(" info message field=" + std::string(300, 'x')));
  }
}

TEST(Log, TellsTheJournalHowBadItIs) {
  // What stderr is while it is captured, as systemd would name it.
  const auto is_journal = [](ino_t off) {
    struct stat file = {};
    ASSERT_EQ(fstat(STDERR_FILENO, &file), 0);
    const std::string name = absl::StrCat(file.st_dev, ":", file.st_ino + off);
    ASSERT_EQ(setenv("JOURNAL_STREAM", name.c_str(), 1), 0);
  };
  const std::string lines = Logged([&] {
    is_journal(0);
    LogInfo("i");
    LogWarning("w");
    SetLogFormat(LogFormat::kJson);
    LogError("e");
    SetLogFormat(LogFormat::kText);
    // systemd's, of which stderr was led away: a file is to have no such thing.
    is_journal(1);
    LogInfo("elsewhere");
  });
  unsetenv("JOURNAL_STREAM");
  const std::vector<std::string> each = absl::StrSplit(lines, '\n');
  EXPECT_THAT(each, ElementsAre(StartsWith("<6>2"), StartsWith("<4>2"), StartsWith("<3>{\"time\":"),
                                StartsWith("2"), ""));
}

TEST(ProtoTime, KeepsNanoseconds) {
  const absl::Time time = absl::FromUnixSeconds(1737000000) + absl::Nanoseconds(123456789);
  EXPECT_EQ(ToProtoTimestamp(time).seconds(), 1737000000);
  EXPECT_EQ(ToProtoTimestamp(time).nanos(), 123456789);
}

TEST(ProtoTime, NanosecondsCountForwardsBeforeTheEpochToo) {
  const google::protobuf::Timestamp before =
      ToProtoTimestamp(absl::UnixEpoch() - absl::Milliseconds(1));
  EXPECT_EQ(before.seconds(), -1);
  EXPECT_EQ(before.nanos(), 999000000);
}

TEST(ProtoTime, DurationsComeBack) {
  for (const absl::Duration duration :
       {absl::ZeroDuration(), absl::Nanoseconds(1), absl::Hours(5) + absl::Milliseconds(7),
        -absl::Milliseconds(1500)}) {
    EXPECT_EQ(FromProtoDuration(ToProtoDuration(duration)), duration);
  }
}

TEST(ProtoTime, ADurationThatIsNoneIsReadWithoutOverflow) {
  google::protobuf::Duration endless;
  endless.set_seconds(std::numeric_limits<int64_t>::max());
  EXPECT_GT(FromProtoDuration(endless), absl::Hours(1000000));
  endless.set_seconds(std::numeric_limits<int64_t>::min());
  EXPECT_LT(FromProtoDuration(endless), absl::ZeroDuration());
}

TEST(Sha256, HashesAsTheStandardSays) {
  Sha256 hash;
  hash.Update("a");
  hash.Update("bc");
  EXPECT_EQ(hash.FinishHex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(CondVar, WakesUpWhenNotifiedAndWhenTimeIsUp) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  std::thread notifier([&] {
    MutexLock lock(mutex);
    ready = true;
    changed.NotifyAll();
  });
  {
    MutexLock lock(mutex);
    while (!ready) changed.Wait(mutex);
    changed.WaitFor(mutex, absl::Milliseconds(1));
  }
  notifier.join();
  EXPECT_TRUE(ready);
}

}  // namespace
}  // namespace migd
