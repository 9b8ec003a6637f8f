// Rules about constraints.
#include "absl/strings/str_cat.h"
#include "service/lint/rule.h"

namespace migd {
namespace {

bool IsCommand(const AlterCommand& command, PgQuery__AlterTableType type) {
  return command.command->subtype == type;
}

std::string ConstraintText(const char* kind, const PgQuery__Constraint& constraint) {
  return *constraint.conname == '\0' ? absl::StrCat("a ", kind)
                                     : absl::StrCat(kind, " ", QuotedName(constraint.conname));
}

// PostgreSQL skips the check of the foreign keys of a statement that only adds columns without
// defaults: all values are null (transformAlterTableStmt).
bool IsForeignKeySkipped(const StatementView& view) {
  for (const AlterCommand& command : view.commands) {
    if (IsCommand(command, PG_QUERY__ALTER_TABLE_TYPE__AT_AddConstraint) &&
        ConstraintOf(command.command->def) != nullptr &&
        ConstraintOf(command.command->def)->contype == PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN) {
      return false;
    }
  }
  for (const DefinedColumn& column : view.columns) {
    if (FindConstraint(*column.column, PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT) != nullptr) {
      return false;
    }
  }
  return true;
}

void ForeignKeyNotValid(const StatementView& view, const SectionState& section, Hits& hits) {
  for (const AddedConstraint& added : view.constraints) {
    const PgQuery__Constraint& constraint = *added.constraint;
    if (constraint.contype != PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN || constraint.skip_validation ||
        section.IsNew(added.table)) {
      continue;
    }
    if (added.column != nullptr && IsForeignKeySkipped(view)) continue;
    hits.push_back(
        {added.offset,
         absl::StrCat("adding ", ConstraintText("foreign key", constraint), " keeps writes to ",
                      added.table.Quoted(), " and ", ObjectOf(constraint.pktable).Quoted(),
                      " waiting until every row is checked"),
         "", added.table});
  }
}

void CheckNotValid(const StatementView& view, const SectionState& section, Hits& hits) {
  for (const AddedConstraint& added : view.constraints) {
    const PgQuery__Constraint& constraint = *added.constraint;
    if (constraint.contype != PG_QUERY__CONSTR_TYPE__CONSTR_CHECK || constraint.skip_validation ||
        section.IsNew(added.table)) {
      continue;
    }
    const std::string suggestion =
        added.column == nullptr
            ? ""
            : "add the column, then ADD CONSTRAINT ... CHECK (...) NOT VALID, and VALIDATE "
              "CONSTRAINT in a later revision";
    hits.push_back({added.offset,
                    absl::StrCat("adding ", ConstraintText("check", constraint), " keeps ",
                                 added.table.Quoted(),
                                 " from being read and written until every row is checked"),
                    suggestion, added.table});
  }
}

void AddsIndex(const StatementView& view, const SectionState& section, Hits& hits,
               PgQuery__ConstrType type, const char* kind) {
  for (const AddedConstraint& added : view.constraints) {
    const PgQuery__Constraint& constraint = *added.constraint;
    if (constraint.contype != type || *constraint.indexname != '\0' || section.IsNew(added.table)) {
      continue;
    }
    hits.push_back(
        {added.offset,
         absl::StrCat("adding ", ConstraintText(kind, constraint), " keeps ", added.table.Quoted(),
                      " from being read and written while its index is built"),
         "", added.table});
  }
}

void UniqueNotUsingIndex(const StatementView& view, const SectionState& section, Hits& hits) {
  AddsIndex(view, section, hits, PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE, "unique constraint");
}

void PrimaryKeyNotUsingIndex(const StatementView& view, const SectionState& section, Hits& hits) {
  AddsIndex(view, section, hits, PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY, "primary key");
}

void ExclusionConstraint(const StatementView& view, const SectionState& section, Hits& hits) {
  AddsIndex(view, section, hits, PG_QUERY__CONSTR_TYPE__CONSTR_EXCLUSION, "exclusion constraint");
}

void ValidateInSameTransaction(const StatementView& view, const SectionState& section, Hits& hits) {
  for (const AlterCommand& command : view.commands) {
    if (!IsCommand(command, PG_QUERY__ALTER_TABLE_TYPE__AT_ValidateConstraint)) continue;
    bool is_same = section.in_transaction() &&
                   section.WasAddedInTransaction(command.relation, command.command->name);
    for (const AddedConstraint& added : view.constraints) {
      is_same = is_same || added.constraint->conname == std::string(command.command->name);
    }
    if (!is_same || section.IsNew(command.relation)) continue;
    hits.push_back({command.offset,
                    absl::StrCat("constraint ", QuotedName(command.command->name),
                                 " is validated in the transaction that adds it, whose lock on ",
                                 command.relation.Quoted(), " stays until every row is checked"),
                    "", command.relation});
  }
}

void SetNotNull(const StatementView& view, const SectionState& section, Hits& hits) {
  for (const AlterCommand& command : view.commands) {
    if (!IsCommand(command, PG_QUERY__ALTER_TABLE_TYPE__AT_SetNotNull)) continue;
    const std::string column = command.command->name;
    if (section.IsNew(command.relation) || section.IsProvenNotNull(command.relation, column)) {
      continue;
    }
    hits.push_back(
        {command.offset,
         absl::StrCat("SET NOT NULL of ", QuotedName(column), " keeps ", command.relation.Quoted(),
                      " from being read and written until every row is checked"),
         "", command.relation});
  }
}

void DropNotNull(const StatementView& view, const SectionState& section, Hits& hits) {
  for (const AlterCommand& command : view.commands) {
    if (!IsCommand(command, PG_QUERY__ALTER_TABLE_TYPE__AT_DropNotNull)) continue;
    if (section.IsNewColumn(command.relation, command.command->name)) continue;
    hits.push_back({command.offset,
                    absl::StrCat("column ", QuotedName(command.command->name), " of ",
                                 command.relation.Quoted(),
                                 " may be null from here on, which programs that read it may not "
                                 "expect")});
  }
}

void DomainConstraint(const StatementView& view, const SectionState& section, Hits& hits) {
  const auto* alter =
      view.As(PG_QUERY__NODE__NODE_ALTER_DOMAIN_STMT, &PgQuery__Node::alter_domain_stmt);
  if (alter == nullptr) return;
  const ObjectName domain = ObjectOf(alter->type_name, alter->n_type_name);
  const PgQuery__Constraint* constraint = ConstraintOf(alter->def);
  const bool adds = constraint != nullptr && !constraint->skip_validation;
  // C adds a constraint, O sets NOT NULL.
  const std::string what = alter->subtype;
  if (section.IsNew(domain) || !((what == "C" && adds) || what == "O")) return;
  hits.push_back({0, absl::StrCat("a constraint of domain ", domain.Quoted(),
                                  " is checked for every row of every table that uses it, while "
                                  "writes to them wait")});
}

void DomainWithConstraint(const StatementView& view, const SectionState&, Hits& hits) {
  const auto* create =
      view.As(PG_QUERY__NODE__NODE_CREATE_DOMAIN_STMT, &PgQuery__Node::create_domain_stmt);
  if (create == nullptr) return;
  for (size_t i = 0; i < create->n_constraints; ++i) {
    const PgQuery__Constraint* constraint = ConstraintOf(create->constraints[i]);
    if (constraint == nullptr || (constraint->contype != PG_QUERY__CONSTR_TYPE__CONSTR_CHECK &&
                                  constraint->contype != PG_QUERY__CONSTR_TYPE__CONSTR_NOTNULL)) {
      continue;
    }
    hits.push_back(
        {static_cast<size_t>(std::max(constraint->location, 0)),
         absl::StrCat("domain ", ObjectOf(create->domainname, create->n_domainname).Quoted(),
                      " has a constraint, which is hard to change while tables use it")});
    return;
  }
}

}  // namespace

std::vector<Rule> ConstraintRules() {
  return {
      {"foreign-key-not-valid", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "ADD FOREIGN KEY takes a SHARE ROW EXCLUSIVE lock on both tables and checks every row under "
       "it: writes to both wait.",
       "ADD CONSTRAINT ... FOREIGN KEY ... NOT VALID, and VALIDATE CONSTRAINT in a later revision",
       ForeignKeyNotValid},
      {"check-not-valid", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "ADD CHECK takes an ACCESS EXCLUSIVE lock and checks every row under it: readers and "
       "writers "
       "wait.",
       "ADD CONSTRAINT ... CHECK (...) NOT VALID, and VALIDATE CONSTRAINT in a later revision",
       CheckNotValid},
      {"unique-not-using-index", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "ADD UNIQUE builds its index under an ACCESS EXCLUSIVE lock: readers and writers wait.",
       "CREATE UNIQUE INDEX CONCURRENTLY in a `transaction:false` section, then ADD CONSTRAINT ... "
       "UNIQUE USING INDEX",
       UniqueNotUsingIndex},
      {"primary-key-not-using-index", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "ADD PRIMARY KEY builds its index under an ACCESS EXCLUSIVE lock: readers and writers wait.",
       "CREATE UNIQUE INDEX CONCURRENTLY in a `transaction:false` section, then ADD CONSTRAINT ... "
       "PRIMARY KEY USING INDEX, on columns that are NOT NULL already",
       PrimaryKeyNotUsingIndex},
      {"exclusion-constraint", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "An exclusion constraint builds its index under an ACCESS EXCLUSIVE lock; PostgreSQL has no "
       "concurrent way.",
       "add it when the table is made, or in a window in which nobody needs the table",
       ExclusionConstraint},
      {"validate-in-same-transaction", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "NOT VALID spares nothing if VALIDATE comes in the same transaction: the lock of ADD "
       "CONSTRAINT is held until the end of it.",
       "VALIDATE CONSTRAINT in a later revision", ValidateInSameTransaction},
      {"set-not-null", kError, Harm::kGrowsWithTable, InDown::kWarning,
       "SET NOT NULL reads the whole table under an ACCESS EXCLUSIVE lock, unless a valid CHECK "
       "(column IS NOT NULL) proves it already.",
       "ADD CONSTRAINT ... CHECK (column IS NOT NULL) NOT VALID; in a later revision VALIDATE "
       "CONSTRAINT, SET NOT NULL, and DROP CONSTRAINT",
       SetNotNull},
      {"drop-not-null", kWarning, Harm::kAlways, InDown::kIgnored,
       "Programs that were written when the column could not be null may fail when it is.",
       "make the programs ready for null first, and say so in a waiver", DropNotNull},
      {"domain-constraint", kError, Harm::kAlways, InDown::kWarning,
       "ALTER DOMAIN ... ADD CHECK and SET NOT NULL check all columns of the domain under SHARE "
       "locks on their tables.",
       "ALTER DOMAIN ... ADD CONSTRAINT ... CHECK (...) NOT VALID, and VALIDATE CONSTRAINT in a "
       "later revision",
       DomainConstraint},
      {"domain-with-constraint", kWarning, Harm::kAlways, InDown::kIgnored,
       "A column of a domain with constraints is added by rewriting its table, and the constraint "
       "is changed for all tables at once.",
       "put the CHECK on the columns", DomainWithConstraint},
  };
}

}  // namespace migd
