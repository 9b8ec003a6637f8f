// What a statement does to a database as it is: its effects, with what the catalogue says.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/types/optional.h"
#include "migration/v1/statement.pb.h"
#include "service/database/catalog_facts.h"
#include "service/execute/type_change.h"
#include "service/sql/statement_effects.h"

namespace migd {

// What the names in a plan mean as its statements run one after the other: what they rename, and
// what they set as search_path. A value.
class NameScope {
 public:
  // A step begins: its session is as new.
  void BeginStep() { search_path_.reset(); }
  // The statement is done.
  void Apply(const StatementEffects& effects);

  // The names under which the catalogue may know the relation or type that is called `name` now, in
  // the order in which they count. None if what had the name has another one now.
  std::vector<CatalogName> Meanings(const QualifiedName& name) const;
  // The same of what has names of its own, as functions have.
  std::vector<CatalogName> OtherMeanings(const QualifiedName& name) const;
  // The same of a schema.
  std::vector<std::string> SchemaMeanings(const std::string& schema) const;
  // The same of a column of a relation that the catalogue knows as `relation`.
  std::vector<std::string> ColumnMeanings(const CatalogName& relation,
                                          const std::string& column) const;
  // What the catalogue may know of something that is dropped.
  std::vector<DropTarget> DropTargets(const DroppedThing& dropped) const;
  // What a statement drops, with what the plan has put into a schema that it drops with all that is
  // in it.
  std::vector<DroppedThing> DropsOf(const StatementEffects& effects) const;

 private:
  void Rename(const Renaming& renaming);
  void RenameSchema(const std::string& from, const std::string& to);
  void RenameColumn(const Renaming& renaming);
  // Those that the search_path may mean; without one that the plan has set, the name as it is.
  std::vector<CatalogName> Written(const QualifiedName& name) const;
  // What is called so now, under its names before the plan: in exactly this schema; or in the other
  // case where one name has a schema and the other, which may be the same, has not.
  void AddRenamed(const CatalogName& name, bool exactly, std::vector<CatalogName>& meanings) const;
  void AddUnrenamed(const CatalogName& name, std::vector<CatalogName>& meanings) const;

  absl::optional<std::vector<std::string>> search_path_;
  // What has a name now, by its names before the plan: by name, then by schema.
  std::map<std::string, std::map<std::string, std::vector<CatalogName>>> renamed_;
  // Names that nothing has any more.
  std::set<CatalogName> hidden_;
  std::map<std::string, std::string> renamed_schemas_;
  std::set<std::string> hidden_schemas_;
  // By the name of the relation before the plan, in whichever schema, and that of the column now.
  std::map<std::pair<std::string, std::string>, std::string> renamed_columns_;
};

// Adds to `question` all that Resolve needs to know about a statement.
void AskAbout(const StatementEffects& effects, const NameScope& scope, CatalogQuestion& question);

// Follows a plan, statement by statement, through what the catalogue said before it.
class EffectResolver {
 public:
  // Null if the catalogue was not asked: then what a statement names is there, unless an earlier
  // one has made it. `facts` must outlive this object, and answer for all statements.
  explicit EffectResolver(const CatalogFacts* facts) : facts_(facts) {}

  void BeginStep() {
    scope_.BeginStep();
    has_time_zone_ = false;
  }

  // Fills in `command`, `is_unknown`, `locks`, `works`, `transaction_need` and `losses`, the losses
  // without revision and statement.
  migration::v1::PlannedStatement Resolve(const StatementEffects& effects);

  // The columns of which the statement changes the type, as far as the catalogue knows them. To be
  // asked before Resolve.
  std::vector<TypeChange> TypeChangesOf(const StatementEffects& effects) const;

 private:
  using Ids = std::vector<RelationId>;

  // Its CREATE ... IF NOT EXISTS finds what it would make.
  bool DoesNothing(const StatementEffects& effects) const;
  // Nothing if it is not there, or not any more.
  absl::optional<RelationId> Find(const QualifiedName& name) const;
  // The relation that a DROP names, or something of which; 0 if it names none.
  RelationId TargetOf(const DroppedThing& dropped) const;
  const RelationFacts& FactsOf(RelationId id) const;
  // What goes with it, and as what the catalogue knows it; null if it is not there.
  struct FoundDrop {
    const DropFacts* facts = nullptr;
    std::string part = {};
  };
  FoundDrop FindDrop(const DroppedThing& dropped) const;
  // Null if there was none before the plan.
  const FunctionFacts* FindFunction(const QualifiedName& name) const;
  // It calls a function that may do anything.
  bool CallsUnknown(const StatementEffects& effects) const;
  // Whether an earlier statement has made it, if the catalogue was not asked.
  bool WasCreated(const QualifiedName& name) const;
  Ids Reached(const QualifiedName& name, Reach reach, const std::string& detail) const;
  void AddDescendants(RelationId id, Ids& ids) const;

  void AddLocks(const StatementEffects& effects, migration::v1::PlannedStatement& out) const;
  void AddDropLocks(const StatementEffects& effects,
                    std::map<RelationId, migration::v1::LockMode>& locks) const;
  void AddWorks(const StatementEffects& effects, migration::v1::PlannedStatement& out) const;
  bool IsNeeded(const WorkNeed& work) const;
  // With the type that a column has so far, if the work is about that.
  std::string ReasonOf(const WorkNeed& work) const;
  bool ChangesStorage(const WorkNeed& work) const;
  // Only the time zone is new, and it is that of the session's UTC.
  bool ChangesZoneOnly(const WorkNeed& work) const;
  bool IsChecked(const WorkNeed& work) const;

  void AddLosses(const StatementEffects& effects, migration::v1::PlannedStatement& out);
  // `targets` are the relations that the statement names.
  void AddDropLosses(const DroppedThing& dropped, const std::set<RelationId>& targets,
                     migration::v1::PlannedStatement& out);
  // What CASCADE takes along that has no rows, and is no part of what is gone or goes by its name.
  void AddDependentLosses(const DropFacts& drop, const std::set<RelationId>& targets,
                          const std::string& target, migration::v1::PlannedStatement& out);
  // What the tables lose that are made of the type whose attribute is dropped.
  void AddAttributeLosses(const DroppedThing& dropped, const std::string& attribute,
                          const std::string& target, migration::v1::PlannedStatement& out);
  void AddUnaskedLoss(const DroppedThing& dropped, migration::v1::PlannedStatement& out) const;
  void AddEmptied(const EmptiedRelation& emptied, migration::v1::PlannedStatement& out) const;
  void AddValueLosses(const EmptiedRelation& emptied, RelationId id,
                      migration::v1::PlannedStatement& out) const;
  // The values that a change of a column's type rounds.
  void AddRounded(const WorkNeed& work, migration::v1::PlannedStatement& out) const;
  // The rows and bytes of a relation with all that inherits from it.
  void SetSize(RelationId id, bool descendants, migration::v1::Loss& loss) const;
  void SetColumnSize(RelationId id, const std::string& column, migration::v1::Loss& loss) const;
  // The facts of a column under its name now; null if the table had none before the plan.
  const ColumnFacts* FindColumn(RelationId id, std::string column) const;

  // Whose column's type the work changes; nothing if it is other work, or the relation is not
  // there.
  absl::optional<RelationId> RetypedRelation(const WorkNeed& work) const;

  void Apply(const StatementEffects& effects);
  void NoteTypes(const StatementEffects& effects);

  const CatalogFacts* const facts_;
  NameScope scope_;
  std::set<RelationId> gone_;
  std::set<std::pair<RelationId, std::string>> gone_columns_;
  // What goes without being a relation or a column: its kind, relation, and name or identity.
  std::set<std::tuple<std::string, RelationId, std::string>> gone_others_;
  // Columns that have another type now.
  std::map<std::pair<RelationId, std::string>, ColumnFacts> changed_columns_;
  // The step has set the TimeZone.
  bool has_time_zone_ = false;
  std::map<std::pair<RelationId, std::string>, std::string> renamed_columns_;
  // Made by the plan, if the catalogue was not asked.
  std::set<CatalogName> created_;
  std::set<std::pair<CatalogName, std::string>> created_columns_;
};

// Whether `from`, as format_type has it, and `to` are the same type.
bool IsSameType(const std::string& from, const WrittenType& to);

// Whether a value of the type `from`, as format_type has it, is stored as it is as one of `to`.
bool KeepsStorage(const std::string& from, const WrittenType& to);

// Whether a change from `from`, as format_type has it, to `to` refuses values, or keeps less of
// them; nothing where that is not known here.
absl::optional<bool> NarrowsType(const std::string& from, const WrittenType& to);

// Whether a change from `from`, as format_type has it, to `to` keeps less of values and refuses
// none of them for that: it rounds numbers and times, leaves the time out of a date, or, if
// `casts`, cuts texts off.
bool RoundsValues(const std::string& from, const WrittenType& to, bool casts);

}  // namespace migd
