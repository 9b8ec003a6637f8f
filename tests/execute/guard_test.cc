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
  const absl::Status status = CheckLosses("core", policy, losses, kHash, confirmation);
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
  EXPECT_EQ(ReasonFor(DestructivePolicy::kConfirm, losses, ConfirmationOf("core", kHash)), "");
  EXPECT_EQ(ReasonFor(DestructivePolicy::kConfirm, losses, ConfirmationOf("core", "other")),
            "CONFIRMATION_REQUIRED");
  EXPECT_EQ(ReasonFor(DestructivePolicy::kConfirm, losses, ConfirmationOf("shop", kHash)),
            "CONFIRMATION_REQUIRED");
  EXPECT_EQ(ReasonFor(DestructivePolicy::kAllow, losses), "");
}

TEST(CheckLosses, RefusesOnAProtectedDatabaseWhateverIsConfirmed) {
  EXPECT_EQ(
      ReasonFor(DestructivePolicy::kRefuse, {LossOf("a", 1, 1)}, ConfirmationOf("core", kHash)),
      "DATABASE_PROTECTED");
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
