#include "service/execute/plan_effects.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/execute/effect_resolution.h"
#include "service/execute/plan_report.h"
#include "service/script/literals.h"
#include "service/script/statement_reader.h"
#include "service/script/statement_words.h"
#include "service/sql/parse_tree.h"
#include "service/sql/statement_effects.h"

namespace migd {
namespace {

using migration::v1::Loss;
using migration::v1::PlannedStatement;
using migration::v1::UnknownStatement;

using EffectsPointer = std::shared_ptr<const StatementEffects>;

// The effects of each statement of each step. Loads that follow one another into the same table
// share theirs: there may be hundreds of thousands.
using StepEffects = std::vector<EffectsPointer>;

bool HaveSameLock(const StatementEffects& a, const StatementEffects& b) {
  return a.command == b.command && a.locks[0].relation.schema == b.locks[0].relation.schema &&
         a.locks[0].relation.name == b.locks[0].relation.name;
}

// A statement of a plan.
struct PlannedPlace {
  size_t step;
  const Statement* statement;
};

std::vector<PlannedPlace> StatementsOf(const std::vector<const Section*>& sections) {
  std::vector<PlannedPlace> places;
  for (size_t step = 0; step < sections.size(); ++step) {
    if (sections[step] == nullptr) continue;
    for (const Statement& statement : sections[step]->statements) {
      places.push_back({step, &statement});
    }
  }
  return places;
}

// What each step runs; null for a stamp.
std::vector<const Section*> SectionsOf(const ScriptSet& scripts, const Plan& plan) {
  std::vector<const Section*> sections;
  for (const Step& step : plan.steps) sections.push_back(SectionOf(scripts, step));
  return sections;
}

// Reads the effects of `places`, some of which follow one another.
void ReadEffects(absl::Span<const PlannedPlace> places, absl::Span<EffectsPointer> effects) {
  EffectsPointer last_load;
  for (size_t i = 0; i < places.size(); ++i) {
    if (i > 0 && places[i].step != places[i - 1].step) last_load = nullptr;
    const Statement& statement = *places[i].statement;
    auto load = EffectsOfPlainLoad(statement);
    if (!load) {
      effects[i] = std::make_shared<StatementEffects>(EffectsOf(statement.text));
      continue;
    }
    if (last_load == nullptr || !HaveSameLock(*last_load, *load)) {
      last_load = std::make_shared<StatementEffects>(*std::move(load));
    }
    effects[i] = last_load;
  }
}

std::vector<StepEffects> ReadSteps(const std::vector<const Section*>& sections) {
  std::vector<StepEffects> steps(sections.size());
  const std::vector<PlannedPlace> places = StatementsOf(sections);
  // An upgrade with nothing to do, of which there are many, costs no thread.
  if (places.empty()) return steps;
  std::vector<EffectsPointer> effects(places.size());
  RunOnDeepStacks(places.size(), [&](size_t begin, size_t end) {
    ReadEffects(absl::MakeConstSpan(places).subspan(begin, end - begin),
                absl::MakeSpan(effects).subspan(begin, end - begin));
  });
  for (size_t i = 0; i < places.size(); ++i) {
    steps[places[i].step].push_back(std::move(effects[i]));
  }
  return steps;
}

// A statement that begins so takes nothing away, whatever follows.
bool OnlyAdds(const Statement& statement) {
  return StatementReader(statement.text).AcceptAnyOf({"create", "insert", "comment", "grant"});
}

bool OnlyAdd(const std::vector<const Section*>& sections) {
  return std::all_of(sections.begin(), sections.end(), [](const Section* section) {
    return section == nullptr ||
           std::all_of(section->statements.begin(), section->statements.end(),
                       [](const Statement& statement) { return OnlyAdds(statement); });
  });
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

bool HasAny(const std::vector<StepEffects>& steps, bool (*is_such)(const StatementEffects&)) {
  return std::any_of(steps.begin(), steps.end(), [is_such](const StepEffects& step) {
    return std::any_of(step.begin(), step.end(),
                       [is_such](const EffectsPointer& effects) { return is_such(*effects); });
  });
}

bool MayDestroy(const std::vector<StepEffects>& steps) {
  return HasAny(steps, [](const StatementEffects& effects) {
    return !effects.drops.empty() || !effects.emptied.empty() ||
           std::any_of(effects.works.begin(), effects.works.end(), [](const WorkNeed& work) {
             return work.condition == WorkCondition::kTypeChangesStorage;
           });
  });
}

bool MayBeUnknown(const StatementEffects& effects) {
  return effects.is_unknown || !effects.calls.empty();
}

// Whether what may be unknown says that it destroys something.
bool MaySayToDestroy(const std::vector<const Section*>& sections,
                     const std::vector<StepEffects>& steps) {
  for (size_t i = 0; i < steps.size(); ++i) {
    for (size_t n = 0; n < steps[i].size(); ++n) {
      if (MayBeUnknown(*steps[i][n]) && SaysToDestroy(sections[i]->statements[n].text)) return true;
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

UnknownStatement UnknownOf(const Plan& plan, const std::vector<const Section*>& sections,
                           size_t step, size_t index) {
  const Statement& source = sections[step]->statements[index];
  UnknownStatement unknown;
  unknown.set_revision(plan.steps[step].revision);
  unknown.set_statement_index(static_cast<int>(index) + 1);
  unknown.set_line(source.line);
  unknown.set_summary(SummaryOfStatement(source.text));
  return unknown;
}

// Follows the plan, which runs `sections`, and calls `use`, if it is not null, with what each
// statement does; its losses are complete. Returns what all of them destroy.
Destruction ResolveSteps(const Plan& plan, const std::vector<const Section*>& sections,
                         const std::vector<StepEffects>& steps, const CatalogFacts* facts,
                         const std::function<void(size_t, size_t, PlannedStatement)>& use) {
  Destruction destruction;
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
        destruction.losses.push_back(loss);
      }
      if (statement.is_unknown()) {
        destruction.unknown.push_back(UnknownOf(plan, sections, i, n));
        destruction.unknown_says_so |= SaysToDestroy(sections[i]->statements[n].text);
      }
      if (use) use(i, n, statement);
    }
  }
  return destruction;
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
    statement.set_summary(SummaryOfStatement(source.text));
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
  const std::vector<const Section*> sections = SectionsOf(scripts, plan);
  const std::vector<StepEffects> steps = ReadSteps(sections);
  absl::optional<CatalogFacts> facts;
  if (database != nullptr) {
    auto read = database->ReadCatalogFacts(QuestionOf(steps));
    result.database_error = read.status();
    if (read.ok()) facts = *std::move(read);
  }
  StatementList list(scripts, plan, described);
  result.destruction =
      ResolveSteps(plan, sections, steps, facts ? &*facts : nullptr,
                   [&](size_t step, size_t index, const PlannedStatement& statement) {
                     list.Add(step, index, statement);
                   });
  return result;
}

absl::StatusOr<std::vector<SectionTypeChange>> TypeChangesIn(
    const std::vector<const Section*>& sections, Database& database) {
  std::vector<SectionTypeChange> changes;
  const std::vector<StepEffects> steps = ReadSteps(sections);
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

std::vector<std::vector<CatalogName>> MeaningsIn(const std::vector<const Section*>& sections,
                                                 const std::vector<SectionRelation>& relations) {
  std::vector<std::vector<CatalogName>> meanings(relations.size());
  std::multimap<std::pair<size_t, int>, size_t> by_statement;
  for (size_t i = 0; i < relations.size(); ++i) {
    by_statement.emplace(std::make_pair(relations[i].section, relations[i].statement_index), i);
  }
  const std::vector<StepEffects> steps = ReadSteps(sections);
  NameScope scope;
  for (size_t section = 0; section < steps.size(); ++section) {
    scope.BeginStep();
    for (size_t n = 0; n < steps[section].size(); ++n) {
      const auto [begin, end] = by_statement.equal_range({section, static_cast<int>(n) + 1});
      for (auto one = begin; one != end; ++one) {
        meanings[one->second] =
            scope.Meanings({relations[one->second].name.schema, relations[one->second].name.name});
      }
      scope.Apply(*steps[section][n]);
    }
  }
  return meanings;
}

absl::StatusOr<Destruction> DestructionBy(const ScriptSet& scripts, const Plan& plan,
                                          TellUnknown tell, Database& database) {
  // To read every statement by the grammar takes a while.
  const std::vector<const Section*> sections = SectionsOf(scripts, plan);
  if (OnlyAdd(sections)) return Destruction();
  const std::vector<StepEffects> steps = ReadSteps(sections);
  const bool always = tell == TellUnknown::kAlways;
  if (!MayDestroy(steps) && !MaySayToDestroy(sections, steps) &&
      !(always && HasAny(steps, MayBeUnknown))) {
    return Destruction();
  }
  const auto facts = database.ReadCatalogFacts(QuestionOf(steps));
  if (!facts.ok()) return facts.status();
  Destruction destruction = ResolveSteps(plan, sections, steps, &*facts, nullptr);
  if (!always && !destruction.IsAny()) destruction.unknown.clear();
  return destruction;
}

}  // namespace migd
