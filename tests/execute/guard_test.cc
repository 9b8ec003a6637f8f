// Which plans the guard lets run.

#include "service/execute/guard.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"

namespace migd {
namespace {

using migration::v1::Loss;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kHash[] = "0c18f7484ab9cd17";

Loss LossOf(const std::string& name, int64_t rows, int64_t bytes) {
  Loss loss;
  loss.set_object_kind("table");
  loss.set_object_name(name);
  loss.set_estimated_rows(rows);
  loss.set_size_bytes(bytes);
  return loss;
}

std::string ReasonFor(DestructivePolicy destructive, const std::vector<Loss>& losses,
                      const std::string& confirmation = "") {
  Policy policy;
  policy.destructive = destructive;
  const absl::Status status = CheckLosses("core", policy, {losses, {}}, kHash, confirmation);
  return status.ok() ? "" : errors::ReasonName(errors::ReasonOf(status));
}

TEST(CheckPlanHash, TakesTheHashAndItsBeginning) {
  EXPECT_TRUE(CheckPlanHash("", kHash).ok());
  EXPECT_TRUE(CheckPlanHash(kHash, kHash).ok());
  EXPECT_TRUE(CheckPlanHash("0c18f7484ab9", kHash).ok());
  EXPECT_EQ(errors::ReasonOf(CheckPlanHash("0c18f7484ab8", kHash)),
            migration::v1::ERROR_REASON_PLAN_STALE);
}

TEST(CheckLosses, LetsEverythingPassThatLosesNothing) {
  EXPECT_EQ(ReasonFor(DestructivePolicy::kConfirm, {}), "");
  EXPECT_EQ(ReasonFor(DestructivePolicy::kRefuse, {}), "");
}

TEST(CheckLosses, WantsTheConfirmationOfThisPlanOnThisDatabase) {
  const std::vector<Loss> losses = {LossOf("a", 0, 0)};
  EXPECT_EQ(ReasonFor(DestructivePolicy::kConfirm, losses), "CONFIRMATION_REQUIRED");
  EXPECT_EQ(ReasonFor(DestructivePolicy::kConfirm, losses, ConfirmationOf("core", kHash, losses)),
            "");
  EXPECT_EQ(ReasonFor(DestructivePolicy::kConfirm, losses, ConfirmationOf("core", "other", losses)),
            "CONFIRMATION_REQUIRED");
  EXPECT_EQ(ReasonFor(DestructivePolicy::kConfirm, losses, ConfirmationOf("shop", kHash, losses)),
            "CONFIRMATION_REQUIRED");
  EXPECT_EQ(ReasonFor(DestructivePolicy::kAllow, losses), "");
}

// Whether what was confirmed when the plan lost `seen` holds when it loses `now`.
bool StillHolds(const std::vector<Loss>& seen, const std::vector<Loss>& now) {
  return ReasonFor(DestructivePolicy::kConfirm, now, ConfirmationOf("core", kHash, seen)).empty();
}

TEST(CheckLosses, TakesTheConfirmationOfThePlanWhateverItDestroys) {
  const std::vector<Loss> losses = {LossOf("orders", 1000, 1 << 20)};
  EXPECT_EQ(ReasonFor(DestructivePolicy::kConfirm, losses, PlanConfirmationOf("core", kHash)), "");
  EXPECT_EQ(ReasonFor(DestructivePolicy::kConfirm, losses, PlanConfirmationOf("core", "other")),
            "CONFIRMATION_REQUIRED");
  EXPECT_EQ(ReasonFor(DestructivePolicy::kRefuse, losses, PlanConfirmationOf("core", kHash)),
            "DATABASE_PROTECTED");
}

TEST(ConfirmationOf, IsForWhatWasSeen) {
  const std::vector<Loss> seen = {LossOf("a", 5000, 3000000), LossOf("b", 0, 8192)};
  EXPECT_TRUE(StillHolds(seen, seen));
  // Another table, one that is not lost any more, and one in the place of another.
  EXPECT_FALSE(StillHolds(seen, {seen[0], seen[1], LossOf("c", 0, 0)}));
  EXPECT_FALSE(StillHolds(seen, {seen[0]}));
  EXPECT_FALSE(StillHolds(seen, {seen[0], LossOf("c", 0, 8192)}));
  // The catalogue has no order.
  EXPECT_TRUE(StillHolds(seen, {seen[1], seen[0]}));
}

TEST(ConfirmationOf, BearsThatProgramsGoOnWriting) {
  const std::vector<Loss> seen = {LossOf("a", 5000, 3000000), LossOf("b", 0, 8192)};
  EXPECT_TRUE(StillHolds(seen, {LossOf("a", 5100, 3100000), LossOf("b", 0, 16384)}));
  // But not that a table has rows that had none, or ten times as many.
  EXPECT_FALSE(StillHolds(seen, {seen[0], LossOf("b", 1, 8192)}));
  EXPECT_FALSE(StillHolds(seen, {seen[0], LossOf("b", 1000000, 40000000)}));
  EXPECT_FALSE(StillHolds(seen, {LossOf("a", 50000, 3000000), seen[1]}));
  EXPECT_FALSE(StillHolds(seen, {LossOf("a", 5000, 30000000), seen[1]}));
  // Nor that nobody knows any more.
  EXPECT_FALSE(StillHolds(seen, {LossOf("a", -1, -1), seen[1]}));
}

TEST(ConfirmationOf, TellsAnotherPlanFromOtherLosses) {
  Policy policy;
  policy.destructive = DestructivePolicy::kConfirm;
  const std::vector<Loss> now = {LossOf("a", 1, 0)};
  const auto message = [&](const std::string& given) {
    return std::string(CheckLosses("core", policy, {now, {}}, kHash, given).message());
  };
  EXPECT_THAT(message(ConfirmationOf("core", kHash, {})), HasSubstr("has become more, or other"));
  EXPECT_THAT(message(ConfirmationOf("core", "other", now)), HasSubstr("not that of this plan"));
}

TEST(CheckLosses, RefusesOnAProtectedDatabaseWhateverIsConfirmed) {
  const std::vector<Loss> losses = {LossOf("a", 1, 1)};
  EXPECT_EQ(ReasonFor(DestructivePolicy::kRefuse, losses, ConfirmationOf("core", kHash, losses)),
            "DATABASE_PROTECTED");
}

TEST(CheckLosses, AsksAboutWhatIsNotKnownOnlyIfItSaysSo) {
  Policy policy;
  policy.destructive = DestructivePolicy::kConfirm;
  EXPECT_TRUE(CheckLosses("core", policy, {{}, {{}}, false}, kHash, "").ok());
  const absl::Status asked = CheckLosses("core", policy, {{}, {{}}, true}, kHash, "");
  EXPECT_EQ(errors::ReasonOf(asked), migration::v1::ERROR_REASON_CONFIRMATION_REQUIRED);
  EXPECT_TRUE(
      CheckLosses("core", policy, {{}, {{}}, true}, kHash, ConfirmationOf("core", kHash, {})).ok());
}

TEST(LargestFirst, PutsWhatIsUnknownFirstAndWhatIsEmptyLast) {
  std::vector<std::string> names;
  for (const Loss& loss : LargestFirst({LossOf("empty", 0, 0), LossOf("small", 5, 10),
                                        LossOf("unknown", -1, -1), LossOf("large", 9, 99)})) {
    names.push_back(loss.object_name());
  }
  EXPECT_THAT(names, ElementsAre("unknown", "large", "small", "empty"));
}

}  // namespace
}  // namespace migd
