#include "service/execute/plan_report.h"

#include "absl/strings/str_cat.h"
#include "service/base/errors.h"
#include "service/base/sha256.h"

namespace migd {
namespace {

const MigrationFile* FileOf(const ScriptSet& scripts, const Step& step) {
  const auto index = scripts.graph().Find(step.revision);
  return index ? &scripts.file(*index) : nullptr;
}

// The steps, the rows that they start from and what their files run, in one unambiguous text.
std::string HashOf(const ScriptSet& scripts, const Plan& plan) {
  Sha256 hash;
  for (const std::string& row : plan.starting_rows) hash.Update(absl::StrCat("row ", row, "\n"));
  for (const Step& step : plan.steps) {
    const MigrationFile* file = FileOf(scripts, step);
    hash.Update(absl::StrCat("step ", static_cast<int>(step.direction), " ", step.revision, " ",
                             file == nullptr ? "" : file->checksum(), "\n"));
    for (const VersionWrite& write : step.writes) {
      hash.Update(absl::StrCat("write ", static_cast<int>(write.kind), " ", write.from, " ",
                               write.to, "\n"));
    }
  }
  return hash.FinishHex();
}

// As many rows, counted after each step, can be told: an upgrade to thousands of heads has
// millions.
constexpr int64_t kMostRows = 200'000;

bool HasTooManyRows(const Plan& plan) {
  auto rows = static_cast<int64_t>(plan.starting_rows.size());
  int64_t all = 0;
  for (const Step& step : plan.steps) {
    for (const VersionWrite& write : step.writes) {
      rows +=
          (write.kind == VersionWrite::Kind::kInsert) - (write.kind == VersionWrite::Kind::kDelete);
    }
    all += rows;
  }
  return all > kMostRows;
}

// What the writes of a step change in the end.
void DescribeWrites(const std::vector<VersionWrite>& writes, migration::v1::Step& out) {
  VersionRows inserted;
  VersionRows deleted;
  for (const VersionWrite& write : writes) {
    if (!write.from.empty() && inserted.erase(write.from) == 0) deleted.insert(write.from);
    if (!write.to.empty() && deleted.erase(write.to) == 0) inserted.insert(write.to);
  }
  out.mutable_inserted_revisions()->Add(inserted.begin(), inserted.end());
  out.mutable_deleted_revisions()->Add(deleted.begin(), deleted.end());
}

}  // namespace

migration::v1::Direction ToProto(Step::Direction direction) {
  switch (direction) {
    case Step::Direction::kUpgrade:
      return migration::v1::DIRECTION_UPGRADE;
    case Step::Direction::kDowngrade:
      return migration::v1::DIRECTION_DOWNGRADE;
    case Step::Direction::kStamp:
      return migration::v1::DIRECTION_STAMP;
  }
  return migration::v1::DIRECTION_UNSPECIFIED;
}

const Section* SectionOf(const ScriptSet& scripts, const Step& step) {
  const MigrationFile* file = FileOf(scripts, step);
  if (file == nullptr || step.direction == Step::Direction::kStamp) return nullptr;
  return step.direction == Step::Direction::kUpgrade ? &file->up() : &file->down();
}

migration::v1::Plan DescribePlan(const ScriptSet& scripts, const Plan& plan) {
  migration::v1::Plan described;
  VersionRows rows = plan.starting_rows;
  described.mutable_starting_revisions()->Add(rows.begin(), rows.end());
  described.set_rows_omitted(HasTooManyRows(plan));
  for (const Step& step : plan.steps) {
    migration::v1::Step& out = *described.add_steps();
    out.set_revision(step.revision);
    out.set_direction(ToProto(step.direction));
    DescribeWrites(step.writes, out);
    if (!described.rows_omitted()) {
      ApplyWrites(step.writes, rows);
      out.mutable_resulting_revisions()->Add(rows.begin(), rows.end());
    }
    const Section* section = SectionOf(scripts, step);
    if (const MigrationFile* file = FileOf(scripts, step)) {
      out.set_message(file->revision().message);
      out.set_path(file->revision().path);
      if (section != nullptr) out.set_checksum(file->checksum());
    }
    out.set_transactional(section == nullptr || section->transactional);
    if (section != nullptr) out.set_statement_count(static_cast<int>(section->statements.size()));
  }
  described.mutable_resulting_revisions()->Add(plan.resulting_rows.begin(),
                                               plan.resulting_rows.end());
  described.set_plan_hash(HashOf(scripts, plan));
  return described;
}

absl::Status CheckReversible(const ScriptSet& scripts, const Plan& plan) {
  for (const Step& step : plan.steps) {
    if (step.direction != Step::Direction::kDowngrade) continue;
    const MigrationFile* file = FileOf(scripts, step);
    if (file != nullptr && !file->down().present) {
      return errors::Irreversible(step.revision, file->revision().path);
    }
  }
  return absl::OkStatus();
}

}  // namespace migd
