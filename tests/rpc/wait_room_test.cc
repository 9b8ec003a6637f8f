#include "service/rpc/wait_room.h"

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/types/optional.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "tests/support/fake_workspace.h"

namespace migd {
namespace {

using migration::v1::WaitResponse;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Until `condition` holds, for a minute at most.
template <typename Condition>
bool Eventually(Condition condition) {
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

// Counts how often its rows are read, and keeps the readers until it is told to let them go.
class WatchedDatabase : public FakeDatabase {
 public:
  absl::StatusOr<VersionRows> ReadRows() override {
    auto rows = FakeDatabase::ReadRows();
    MutexLock lock(mutex_);
    ++readings_;
    changed_.NotifyAll();
    while (blocked_) changed_.Wait(mutex_);
    return rows;
  }

  void Block(bool blocked) {
    MutexLock lock(mutex_);
    blocked_ = blocked;
    changed_.NotifyAll();
  }

  int readings() {
    MutexLock lock(mutex_);
    return readings_;
  }
  bool AwaitReadings(int count) {
    return Eventually([&] { return readings() >= count; });
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int readings_ ABSL_GUARDED_BY(mutex_) = 0;
  bool blocked_ ABSL_GUARDED_BY(mutex_) = false;
};

// aa01 <- aa02 <- aa03.
class Place {
 public:
  Place() {
    auto database = std::make_unique<WatchedDatabase>();
    database_ = database.get();
    files_.workspace().database = std::move(database);
    files_.Write({"aa01", ""});
    files_.Write({"aa02", "aa01"});
    files_.Write({"aa03", "aa02"});
  }

  FakeWorkspace& files() { return files_; }
  Workspace& workspace() { return files_.workspace(); }
  WatchedDatabase& database() { return *database_; }

 private:
  FakeWorkspace files_;
  WatchedDatabase* database_;
};

// The answer of one who waits, when it comes. Outlives the room, or has left it.
class Answered {
 public:
  WaitRoom::Answer Listener() {
    return [this](const absl::StatusOr<WaitResponse>& answer) {
      MutexLock lock(mutex_);
      EXPECT_FALSE(answer_) << "answered twice";
      answer_ = answer;
    };
  }

  bool has_come() {
    MutexLock lock(mutex_);
    return answer_.has_value();
  }
  absl::StatusOr<WaitResponse> Await() {
    if (!Eventually([this] { return has_come(); })) return errors::Internal("no answer");
    MutexLock lock(mutex_);
    return *answer_;
  }
  absl::Status AwaitError() {
    const auto answer = Await();
    EXPECT_FALSE(answer.ok()) << answer->ShortDebugString();
    return answer.status();
  }

 private:
  Mutex mutex_;
  absl::optional<absl::StatusOr<WaitResponse>> answer_ ABSL_GUARDED_BY(mutex_);
};

class WaitRoomTest : public ::testing::Test {
 protected:
  WaitRoom::Ticket Enter(Place& place, const std::string& symbol, Answered& answered,
                         absl::Duration timeout = absl::InfiniteDuration()) {
    return room_.Enter(place.workspace(), {*RevisionSymbol::Parse(symbol), timeout},
                       answered.Listener());
  }
  absl::StatusOr<WaitResponse> Ask(const std::string& symbol) {
    Answered answered;
    Enter(place_, symbol, answered);
    return answered.Await();
  }
  absl::Status Error(const std::string& symbol, absl::Duration timeout) {
    Answered answered;
    Enter(place_, symbol, answered, timeout);
    return answered.AwaitError();
  }

  // Returns when the room has looked after all who are in it, by the files and rows of now. Nothing
  // may have aa03.
  void Settle() { EXPECT_FALSE(Error("aa03", absl::ZeroDuration()).ok()); }

  Place place_;
  Place other_;
  WatchedDatabase& database_ = place_.database();
  WaitRoom room_{absl::Milliseconds(1)};
};

TEST_F(WaitRoomTest, TellsAtOnceThatTheDatabaseIsThere) {
  database_.SetRows({"aa02"});
  const auto at = Ask("aa02");
  ASSERT_TRUE(at.ok()) << at.status();
  EXPECT_EQ(at->outcome(), WaitResponse::OUTCOME_AT);
  EXPECT_THAT(at->revisions(), ElementsAre("aa02"));
  EXPECT_THAT(at->target_revisions(), ElementsAre("aa02"));
  EXPECT_EQ(at->database(), "app");
  EXPECT_EQ(Ask("aa01")->outcome(), WaitResponse::OUTCOME_AHEAD);
}

TEST_F(WaitRoomTest, TellsARowThatNoFileHas) {
  database_.SetRows({"zz99"});
  const auto answer = Ask("heads");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->outcome(), WaitResponse::OUTCOME_AHEAD_UNKNOWN);
  EXPECT_THAT(answer->unknown_revisions(), ElementsAre("zz99"));
  EXPECT_THAT(answer->target_revisions(), ElementsAre("aa03"));
}

TEST_F(WaitRoomTest, AnswersWhenTheRowsAreThere) {
  Answered first, second;
  Enter(place_, "aa02", first);
  Enter(place_, "heads", second);
  Settle();
  EXPECT_FALSE(first.has_come());

  database_.SetRows({"aa02"});
  EXPECT_EQ(first.Await()->outcome(), WaitResponse::OUTCOME_AT);
  EXPECT_FALSE(second.has_come());
  database_.SetRows({"aa03"});
  EXPECT_EQ(second.Await()->outcome(), WaitResponse::OUTCOME_AT);
  EXPECT_EQ(room_.size(), 0);
}

TEST_F(WaitRoomTest, ReadsTheRowsOnceForAll) {
  constexpr int kWaiters = 500;
  std::vector<Answered> answered(kWaiters);
  WaitRoom room(absl::Hours(1));
  const auto enter = [&](int i) {
    room.Enter(place_.workspace(), {*RevisionSymbol::Parse("heads"), absl::InfiniteDuration()},
               answered[i].Listener());
  };
  database_.Block(true);
  enter(0);
  ASSERT_TRUE(database_.AwaitReadings(1));
  for (int i = 1; i < kWaiters; ++i) enter(i);
  EXPECT_EQ(room.size(), kWaiters);
  database_.SetRows({"aa03"});
  database_.Block(false);
  for (Answered& each : answered) EXPECT_TRUE(each.Await().ok());
  EXPECT_EQ(database_.readings(), 2);
}

TEST_F(WaitRoomTest, ReadsNothingForNobody) {
  Answered nobody, somebody;
  const auto ticket = Enter(place_, "heads", nobody);
  ASSERT_TRUE(database_.AwaitReadings(1));
  EXPECT_TRUE(room_.Leave(ticket));
  const int readings = database_.readings();

  Enter(other_, "heads", somebody);
  ASSERT_TRUE(other_.database().AwaitReadings(20));
  // One may have been under way.
  EXPECT_LE(database_.readings(), readings + 1);
  room_.Close();
}

TEST_F(WaitRoomTest, RowsThatWereReadBeforeDoNotCount) {
  Answered earlier, later;
  database_.SetRows({"aa02"});
  database_.Block(true);
  Enter(place_, "heads", earlier);
  ASSERT_TRUE(database_.AwaitReadings(1));
  database_.SetRows({"aa01"});
  Enter(place_, "aa02", later, absl::ZeroDuration());
  database_.Block(false);
  EXPECT_THAT(std::string(later.AwaitError().message()), HasSubstr("it is at aa01"));
  room_.Close();
}

TEST_F(WaitRoomTest, ADatabaseThatDoesNotAnswerHoldsUpNobodyElse) {
  other_.database().SetRows({"aa03"});
  database_.Block(true);
  Answered stuck, fine, impatient, mistaken;
  Enter(place_, "heads", stuck);
  ASSERT_TRUE(database_.AwaitReadings(1));

  Enter(other_, "heads", fine);
  EXPECT_TRUE(fine.Await().ok());
  Enter(place_, "heads", impatient, absl::Milliseconds(20));
  EXPECT_THAT(std::string(impatient.AwaitError().message()), HasSubstr("not answered so far"));
  Enter(place_, "cc", mistaken);
  EXPECT_EQ(errors::ReasonOf(mistaken.AwaitError()), migration::v1::ERROR_REASON_UNKNOWN_REVISION);
  EXPECT_FALSE(stuck.has_come());
  database_.Block(false);
  room_.Close();
}

TEST_F(WaitRoomTest, WaitsForADatabaseThatCannotBeAsked) {
  database_.RefuseConnections(errors::DatabaseMissing("app", "no database of this name"));
  Answered answered;
  Enter(place_, "heads", answered);
  ASSERT_TRUE(database_.AwaitReadings(2));
  database_.RefuseConnections(errors::DatabaseUnavailable("app", "starting up"));
  ASSERT_TRUE(database_.AwaitReadings(4));
  EXPECT_FALSE(answered.has_come());

  database_.SetRows({"aa03"});
  database_.RefuseConnections(absl::OkStatus());
  EXPECT_TRUE(answered.Await().ok());
}

TEST_F(WaitRoomTest, TheTimeoutTellsWhereTheDatabaseIs) {
  database_.SetRows({"aa02"});
  const absl::Status error = Error("heads", absl::Milliseconds(100));
  EXPECT_EQ(errors::ReasonOf(error), migration::v1::ERROR_REASON_WAIT_TIMEOUT);
  EXPECT_EQ(error.message(), "the database did not reach heads (aa03) within 100ms: it is at aa02");
  EXPECT_EQ(errors::ToProto(error).metadata().at("revisions"), "aa02");
  database_.SetRows({});
  EXPECT_THAT(std::string(Error("aa01", absl::Milliseconds(100)).message()),
              AllOf(HasSubstr("reach aa01 within"), HasSubstr("no revision is applied")));
}

TEST_F(WaitRoomTest, TheTimeoutTellsWhyTheDatabaseCannotBeAsked) {
  database_.RefuseConnections(errors::DatabaseUnavailable("app", "starting up"));
  EXPECT_THAT(std::string(Error("heads", absl::Milliseconds(100)).message()),
              HasSubstr("starting up"));
}

TEST_F(WaitRoomTest, WithoutTimeItLooksOnce) {
  database_.SetRows({"aa02"});
  EXPECT_EQ(Error("heads", absl::ZeroDuration()).message(),
            "the database has not reached heads (aa03): it is at aa02");
  database_.RefuseConnections(errors::DatabaseUnavailable("app", "starting up"));
  EXPECT_THAT(std::string(Error("heads", absl::ZeroDuration()).message()),
              HasSubstr("starting up"));
}

TEST_F(WaitRoomTest, HeadsAreThoseOfTheFilesAsTheyAreThen) {
  Answered answered;
  Enter(place_, "heads", answered);
  Settle();
  place_.files().Write({"aa04", "aa03"});
  Settle();
  database_.SetRows({"aa03"});
  EXPECT_FALSE(Error("aa04", absl::ZeroDuration()).ok());
  EXPECT_FALSE(answered.has_come());
  database_.SetRows({"aa04"});
  EXPECT_THAT(answered.Await()->target_revisions(), ElementsAre("aa04"));
}

TEST_F(WaitRoomTest, ARevisionWhoseFileGoesIsUnknownAtOnce) {
  place_.files().Write({"bb02", "aa01"});
  Answered answered;
  Enter(place_, "bb02", answered);
  Settle();
  std::filesystem::remove(place_.workspace().scripts->path() + "/bb02_step.sql");
  EXPECT_EQ(errors::ReasonOf(answered.AwaitError()), migration::v1::ERROR_REASON_UNKNOWN_REVISION);
}

TEST_F(WaitRoomTest, FaultyFilesAreAnErrorForThoseWhoComeAndWaitedOutByThoseWhoAreThere) {
  Answered patient;
  Enter(place_, "aa02", patient);
  Settle();
  place_.files().Write({"dd01", "nobody"});
  EXPECT_EQ(errors::ReasonOf(Error("aa02", absl::InfiniteDuration())),
            migration::v1::ERROR_REASON_INVALID_MIGRATIONS);
  EXPECT_FALSE(patient.has_come());
  database_.SetRows({"aa02"});
  EXPECT_TRUE(patient.Await().ok());
}

TEST_F(WaitRoomTest, WhoLeavesGetsNoAnswer) {
  Answered answered;
  const auto ticket = Enter(place_, "heads", answered);
  EXPECT_TRUE(room_.Leave(ticket));
  EXPECT_EQ(room_.size(), 0);
  EXPECT_FALSE(room_.Leave(ticket));
  database_.SetRows({"aa03"});
  EXPECT_TRUE(Ask("heads").ok());
  EXPECT_FALSE(answered.has_come());
}

TEST_F(WaitRoomTest, ClosingSendsEverybodyAway) {
  Answered before, after;
  Enter(place_, "heads", before);
  room_.Close();
  Enter(place_, "heads", after);
  EXPECT_EQ(errors::ReasonOf(before.AwaitError()), migration::v1::ERROR_REASON_DRAINING);
  EXPECT_EQ(errors::ReasonOf(after.AwaitError()), migration::v1::ERROR_REASON_DRAINING);
}

}  // namespace
}  // namespace migd
