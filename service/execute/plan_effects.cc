#include "service/execute/plan_effects.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "service/base/utf8.h"
#include "service/execute/effect_resolution.h"
#include "service/execute/plan_report.h"
#include "service/script/literals.h"
#include "service/sql/parse_tree.h"
#include "service/sql/statement_effects.h"

namespace migd {
namespace {

using migration::v1::Loss;
using migration::v1::PlannedStatement;

using EffectsPointer = std::shared_ptr<const StatementEffects>;

// The effects of each statement of each step. Loads that follow one another into the same table
// share theirs: there may be hundreds of thousands.
using StepEffects = std::vector<EffectsPointer>;

bool HaveSameLock(const StatementEffects& a, const StatementEffects& b) {
  return a.command == b.command && a.locks[0].relation.schema == b.locks[0].relation.schema &&
         a.locks[0].relation.name == b.locks[0].relation.name;
}

StepEffects ReadStep(const Section& section) {
  StepEffects effects;
  effects.reserve(section.statements.size());
  EffectsPointer last_load;
  for (const Statement& statement : section.statements) {
    auto load = EffectsOfPlainLoad(statement);
    if (!load) {
      effects.push_back(std::make_shared<StatementEffects>(EffectsOf(statement.text)));
      continue;
    }
    if (last_load == nullptr || !HaveSameLock(*last_load, *load)) {
      last_load = std::make_shared<StatementEffects>(*std::move(load));
    }
    effects.push_back(last_load);
  }
  return effects;
}

std::vector<StepEffects> ReadSteps(const ScriptSet& scripts, const Plan& plan) {
  std::vector<StepEffects> steps;
  // An upgrade with nothing to do, of which there are many, costs no thread.
  if (plan.steps.empty()) return steps;
  RunOnDeepStack([&] {
    for (const Step& step : plan.steps) {
      const Section* section = SectionOf(scripts, step);
      steps.push_back(section == nullptr ? StepEffects() : ReadStep(*section));
    }
  });
  return steps;
}

CatalogQuestion QuestionOf(const std::vector<StepEffects>& steps) {
  CatalogQuestion question;
  NameScope scope;
  for (const StepEffects& step : steps) {
    scope.BeginStep();
    const StatementEffects* last = nullptr;
    for (const EffectsPointer& effects : step) {
      if (effects.get() == last) continue;
      AskAbout(*effects, scope, question);
      scope.Apply(*effects);
      last = effects.get();
    }
  }
  return question;
}

bool MayDestroy(const std::vector<StepEffects>& steps) {
  for (const StepEffects& step : steps) {
    for (const EffectsPointer& effects : step) {
      if (!effects->drops.empty() || !effects->emptied.empty()) return true;
    }
  }
  return false;
}

// Nobody notices it but for the time that it takes.
bool IsQuiet(const PlannedStatement& statement) {
  if (statement.is_unknown() || statement.losses_size() > 0 || statement.works_size() > 0) {
    return false;
  }
  for (const migration::v1::RelationLock& lock : statement.locks()) {
    if (!lock.is_new() && lock.mode() > migration::v1::LOCK_MODE_ROW_EXCLUSIVE) return false;
  }
  return true;
}

std::string SummaryOf(absl::string_view text) {
  constexpr size_t kLongestSummary = 120;
  // Strings and comments may be long, and leave little.
  constexpr size_t kLongestRead = 4096;
  return Shortened(WithoutLiterals(text.substr(0, CutAt(text, kLongestRead))), kLongestSummary);
}

// Follows the plan, and calls `use` with what each statement does; its losses are complete.
void ResolveSteps(const Plan& plan, const std::vector<StepEffects>& steps,
                  const CatalogFacts* facts,
                  absl::FunctionRef<void(size_t step, size_t statement, PlannedStatement)> use) {
  EffectResolver resolver(facts);
  for (size_t i = 0; i < steps.size(); ++i) {
    resolver.BeginStep();
    PlannedStatement statement;
    for (size_t n = 0; n < steps[i].size(); ++n) {
      const bool is_same_load = n > 0 && steps[i][n] == steps[i][n - 1];
      if (!is_same_load) statement = resolver.Resolve(*steps[i][n]);
      for (Loss& loss : *statement.mutable_losses()) {
        loss.set_revision(plan.steps[i].revision);
        loss.set_statement_index(static_cast<int>(n) + 1);
      }
      use(i, n, statement);
    }
  }
}

// Describes statements as long as there is room.
class StatementList {
 public:
  StatementList(const ScriptSet& scripts, const Plan& plan, migration::v1::Plan& described)
      : scripts_(scripts), plan_(plan), described_(described) {}

  void Add(size_t step, size_t index, const PlannedStatement& planned) {
    migration::v1::Step& out = *described_.mutable_steps(static_cast<int>(step));
    int& room = IsQuiet(planned) ? quiet_room_ : notable_room_;
    if (room == 0) {
      out.set_omitted_statement_count(out.omitted_statement_count() + 1);
      return;
    }
    --room;
    const Statement& source = SectionOf(scripts_, plan_.steps[step])->statements[index];
    PlannedStatement& statement = *out.add_statements();
    statement = planned;
    statement.set_statement_index(static_cast<int>(index) + 1);
    statement.set_line(source.line);
    statement.set_summary(SummaryOf(source.text));
  }

 private:
  const ScriptSet& scripts_;
  const Plan& plan_;
  migration::v1::Plan& described_;
  int quiet_room_ = kMostQuietStatements;
  int notable_room_ = kMostNotableStatements;
};

}  // namespace

PlanEffects DescribeEffects(const ScriptSet& scripts, const Plan& plan, Database* database,
                            migration::v1::Plan& described) {
  PlanEffects result;
  const std::vector<StepEffects> steps = ReadSteps(scripts, plan);
  absl::optional<CatalogFacts> facts;
  if (database != nullptr) {
    auto read = database->ReadCatalogFacts(QuestionOf(steps));
    result.database_error = read.status();
    if (read.ok()) facts = *std::move(read);
  }
  StatementList list(scripts, plan, described);
  ResolveSteps(plan, steps, facts ? &*facts : nullptr,
               [&](size_t step, size_t index, const PlannedStatement& statement) {
                 result.losses.insert(result.losses.end(), statement.losses().begin(),
                                      statement.losses().end());
                 list.Add(step, index, statement);
               });
  return result;
}

absl::StatusOr<std::vector<SectionTypeChange>> TypeChangesIn(
    const std::vector<const Section*>& sections, Database& database) {
  std::vector<SectionTypeChange> changes;
  std::vector<StepEffects> steps;
  RunOnDeepStack([&] {
    for (const Section* section : sections) steps.push_back(ReadStep(*section));
  });
  const auto facts = database.ReadCatalogFacts(QuestionOf(steps));
  if (!facts.ok()) return facts.status();
  EffectResolver resolver(&*facts);
  for (size_t i = 0; i < steps.size(); ++i) {
    resolver.BeginStep();
    for (size_t n = 0; n < steps[i].size(); ++n) {
      if (n > 0 && steps[i][n] == steps[i][n - 1]) continue;
      for (TypeChange& change : resolver.TypeChangesOf(*steps[i][n])) {
        changes.push_back({i, static_cast<int>(n) + 1, std::move(change)});
      }
      resolver.Resolve(*steps[i][n]);
    }
  }
  return changes;
}

absl::StatusOr<std::vector<Loss>> LossesOf(const ScriptSet& scripts, const Plan& plan,
                                           Database& database) {
  std::vector<Loss> losses;
  const std::vector<StepEffects> steps = ReadSteps(scripts, plan);
  if (!MayDestroy(steps)) return losses;
  const auto facts = database.ReadCatalogFacts(QuestionOf(steps));
  if (!facts.ok()) return facts.status();
  ResolveSteps(plan, steps, &*facts, [&](size_t, size_t, const PlannedStatement& statement) {
    losses.insert(losses.end(), statement.losses().begin(), statement.losses().end());
  });
  return losses;
}

}  // namespace migd
