#include "service/execute/backup_step.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "tests/support/fake_workspace.h"

namespace migd {
namespace {

using migration::v1::BACKUP_MODE_ALWAYS;
using migration::v1::BACKUP_MODE_BEFORE_DESTRUCTIVE;
using migration::v1::BACKUP_MODE_NEVER;
using migration::v1::OperationEvent;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FakeBackupMaker : public BackupMaker {
 public:
  explicit FakeBackupMaker(FakeDatabase& database) : database_(database) {}

  absl::StatusOr<migration::v1::Backup> Make(const std::string& operation,
                                             migration::v1::BackupVerification verification,
                                             const Tick& tick, const Sink&) override {
    made.push_back(operation);
    verified = verification;
    had_items = database_.HasTable("items");
    if (on_make) on_make();
    if (!failure.ok()) return failure;
    const absl::Status status = tick();
    if (!status.ok()) return status;
    migration::v1::Backup backup;
    backup.set_path("/backups/x.dump");
    return backup;
  }

  std::vector<std::string> made;
  migration::v1::BackupVerification verified = migration::v1::BACKUP_VERIFICATION_UNSPECIFIED;
  bool had_items = false;
  absl::Status failure;
  std::function<void()> on_make;

 private:
  FakeDatabase& database_;
};

class BackupStepTest : public ::testing::Test {
 protected:
  BackupStepTest() {
    workspace_.Write({"a1", "", "\nCREATE TABLE items (id int);\n", "\nDROP TABLE items;\n"});
    workspace_.Write({"b2", "a1", "\nCREATE TABLE more (id int);\n", ""});
    workspace_.Write({"c3", "b2", "\nDROP TABLE items;\n", ""});
    workspace_.ChangePolicy([](Policy& policy) { policy.destructive = DestructivePolicy::kAllow; });
    auto backups = std::make_unique<FakeBackupMaker>(workspace_.database());
    backups_ = backups.get();
    workspace_.workspace().backups = std::move(backups);
  }

  ExecuteResult Run(migration::v1::Action action, const std::string& target) {
    request_.action = action;
    request_.targets = {target};
    request_.operation = "op";
    return Execute(workspace_.workspace(), request_, cancellation_,
                   [this](OperationEvent event) { events_.push_back(std::move(event)); });
  }
  ExecuteResult Upgrade(const std::string& target) {
    return Run(migration::v1::ACTION_UPGRADE, target);
  }

  FakeWorkspace workspace_;
  FakeBackupMaker* backups_;
  ExecuteRequest request_;
  Cancellation cancellation_;
  std::vector<OperationEvent> events_;
};

TEST_F(BackupStepTest, ItIsMadeBeforeTheFirstStep) {
  request_.backup = BACKUP_MODE_ALWAYS;
  EXPECT_TRUE(Upgrade("a1").status.ok());
  EXPECT_THAT(backups_->made, ElementsAre("op"));
  EXPECT_FALSE(backups_->had_items);
  EXPECT_EQ(backups_->verified, migration::v1::BACKUP_VERIFICATION_LIST);
  ASSERT_GE(events_.size(), 3U);
  EXPECT_TRUE(events_[0].has_plan());
  EXPECT_EQ(events_[1].backup_finished().path(), "/backups/x.dump");
  EXPECT_TRUE(events_[2].has_step_started());
}

TEST_F(BackupStepTest, NoneIsMadeOfWhatMayNotBeCommitted) {
  request_.backup = BACKUP_MODE_ALWAYS;
  request_.before_first_commit = [](absl::Duration) { return absl::UnavailableError("no store"); };
  EXPECT_EQ(Upgrade("a1").status, absl::UnavailableError("no store"));
  EXPECT_THAT(backups_->made, IsEmpty());
}

TEST_F(BackupStepTest, NothingToDoNeedsNone) {
  request_.backup = BACKUP_MODE_ALWAYS;
  ASSERT_TRUE(Upgrade("a1").status.ok());
  ASSERT_TRUE(Upgrade("a1").status.ok());
  EXPECT_EQ(backups_->made.size(), 1U);
}

TEST_F(BackupStepTest, ThePolicyDemandsMoreThanTheCall) {
  workspace_.ChangePolicy([](Policy& policy) { policy.backup = BACKUP_MODE_ALWAYS; });
  workspace_.ChangePolicy([](Policy& policy) {
    policy.backup_verification = migration::v1::BACKUP_VERIFICATION_RESTORE;
  });
  request_.backup = BACKUP_MODE_NEVER;
  request_.backup_verification = migration::v1::BACKUP_VERIFICATION_LIST;
  ASSERT_TRUE(Upgrade("a1").status.ok());
  EXPECT_EQ(backups_->made.size(), 1U);
  EXPECT_EQ(backups_->verified, migration::v1::BACKUP_VERIFICATION_RESTORE);
}

TEST_F(BackupStepTest, BeforeWhatDestroysAlone) {
  workspace_.ChangePolicy([](Policy& policy) { policy.backup = BACKUP_MODE_BEFORE_DESTRUCTIVE; });
  ASSERT_TRUE(Upgrade("b2").status.ok());
  EXPECT_THAT(backups_->made, IsEmpty());
  ASSERT_TRUE(Upgrade("c3").status.ok());
  EXPECT_EQ(backups_->made.size(), 1U);
  EXPECT_TRUE(backups_->had_items);
}

TEST_F(BackupStepTest, AFailureLeavesTheDatabaseAsItIs) {
  request_.backup = BACKUP_MODE_ALWAYS;
  backups_->failure = errors::BackupFailed("the disk is full", "");
  const ExecuteResult result = Upgrade("head");
  EXPECT_EQ(errors::ReasonOf(result.status), migration::v1::ERROR_REASON_BACKUP_FAILED);
  EXPECT_EQ(result.finished_steps, 0);
  EXPECT_FALSE(workspace_.database().HasTable("items"));
}

TEST_F(BackupStepTest, ALaterAttemptMakesNoOther) {
  request_.backup = BACKUP_MODE_ALWAYS;
  request_.has_backup = true;
  ASSERT_TRUE(Upgrade("a1").status.ok());
  EXPECT_THAT(backups_->made, IsEmpty());
}

TEST_F(BackupStepTest, ARequestToCancelEndsIt) {
  request_.backup = BACKUP_MODE_ALWAYS;
  backups_->on_make = [this] { cancellation_.Request("enough"); };
  EXPECT_EQ(errors::ReasonOf(Upgrade("a1").status),
            migration::v1::ERROR_REASON_OPERATION_CANCELLED);
  EXPECT_FALSE(workspace_.database().HasTable("items"));
}

TEST_F(BackupStepTest, AServerWithoutBackupsSaysSo) {
  workspace_.workspace().backups = nullptr;
  request_.backup = BACKUP_MODE_ALWAYS;
  EXPECT_EQ(errors::ReasonOf(Upgrade("a1").status), migration::v1::ERROR_REASON_BACKUP_UNAVAILABLE);
}

}  // namespace
}  // namespace migd
