// Rules about what is destroyed. A down section destroys what its up section made, so they do not
// look at it.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "service/lint/rule.h"

namespace migd {
namespace {

const PgQuery__DropStmt* DropOf(const StatementView& view) {
  return view.As(PG_QUERY__NODE__NODE_DROP_STMT, &PgQuery__Node::drop_stmt);
}

// What is dropped of one kind and was there before the revision.
void DropsOf(const StatementView& view, const SectionState& section, PgQuery__ObjectType type,
             const char* kind, const char* harm, Hits& hits) {
  const PgQuery__DropStmt* drop = DropOf(view);
  if (drop == nullptr || drop->remove_type != type) return;
  for (size_t i = 0; i < drop->n_objects; ++i) {
    const ObjectName name = ObjectOf(drop->objects[i]);
    if (section.IsNew(name)) continue;
    hits.push_back({0, absl::StrCat("dropping ", kind, " ", name.Quoted(), " ", harm)});
  }
}

constexpr char kBreaksUsers[] = "breaks the programs that still use it";

void DropTable(const StatementView& view, const SectionState& section, Hits& hits) {
  DropsOf(view, section, PG_QUERY__OBJECT_TYPE__OBJECT_TABLE, "table",
          "deletes its rows, and breaks the programs that still use it", hits);
}

void DropColumn(const StatementView& view, const SectionState& section, Hits& hits) {
  for (const AlterCommand& command : view.commands) {
    const std::string column = command.command->name;
    if (command.command->subtype != PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn ||
        section.IsNewColumn(command.relation, column)) {
      continue;
    }
    hits.push_back(
        {command.offset,
         absl::StrCat("dropping column ", QuotedName(column), " of ", command.relation.Quoted(),
                      " deletes its values, and breaks the programs that still use it")});
  }
}

void DropSchema(const StatementView& view, const SectionState& section, Hits& hits) {
  DropsOf(view, section, PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA, "schema", kBreaksUsers, hits);
}

void DropDatabase(const StatementView& view, const SectionState&, Hits& hits) {
  const auto* drop = view.As(PG_QUERY__NODE__NODE_DROPDB_STMT, &PgQuery__Node::dropdb_stmt);
  if (drop == nullptr) return;
  hits.push_back({0, absl::StrCat("dropping database ", QuotedName(drop->dbname),
                                  " deletes all that is in "
                                  "it")});
}

void DropView(const StatementView& view, const SectionState& section, Hits& hits) {
  DropsOf(view, section, PG_QUERY__OBJECT_TYPE__OBJECT_VIEW, "view", kBreaksUsers, hits);
  DropsOf(view, section, PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW, "materialized view", kBreaksUsers,
          hits);
}

void DropObject(const StatementView& view, const SectionState& section, Hits& hits) {
  const struct {
    PgQuery__ObjectType type;
    const char* kind;
  } kinds[] = {
      {PG_QUERY__OBJECT_TYPE__OBJECT_TYPE, "type"},
      {PG_QUERY__OBJECT_TYPE__OBJECT_DOMAIN, "domain"},
      {PG_QUERY__OBJECT_TYPE__OBJECT_SEQUENCE, "sequence"},
      {PG_QUERY__OBJECT_TYPE__OBJECT_FUNCTION, "function"},
      {PG_QUERY__OBJECT_TYPE__OBJECT_PROCEDURE, "procedure"},
      {PG_QUERY__OBJECT_TYPE__OBJECT_ROUTINE, "routine"},
      {PG_QUERY__OBJECT_TYPE__OBJECT_AGGREGATE, "aggregate"},
      {PG_QUERY__OBJECT_TYPE__OBJECT_EXTENSION, "extension"},
      {PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE, "foreign table"},
  };
  for (const auto& [type, kind] : kinds) DropsOf(view, section, type, kind, kBreaksUsers, hits);
  const auto* owned =
      view.As(PG_QUERY__NODE__NODE_DROP_OWNED_STMT, &PgQuery__Node::drop_owned_stmt);
  if (owned != nullptr) hits.push_back({0, "DROP OWNED drops all that a role has"});
}

void DropConstraint(const StatementView& view, const SectionState& section, Hits& hits) {
  for (const AlterCommand& command : view.commands) {
    if (command.command->subtype != PG_QUERY__ALTER_TABLE_TYPE__AT_DropConstraint ||
        section.IsNew(command.relation)) {
      continue;
    }
    const std::string name = command.command->name;
    const bool is_made_anew = std::any_of(
        view.constraints.begin(), view.constraints.end(),
        [&name](const AddedConstraint& added) { return added.constraint->conname == name; });
    if (is_made_anew || section.WasValidated(command.relation, name)) continue;
    hits.push_back({command.offset,
                    absl::StrCat("without constraint ", QuotedName(name), " rows of ",
                                 command.relation.Quoted(),
                                 " may be what programs have been able to rely on that they are "
                                 "not")});
  }
}

void Cascade(const StatementView& view, const SectionState&, Hits& hits) {
  const auto is_cascade = [](PgQuery__DropBehavior behavior) {
    return behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
  };
  const auto report = [&hits](size_t offset) {
    hits.push_back({offset,
                    "CASCADE takes with it whatever depends on this in the database, which no file "
                    "names"});
  };
  if (const PgQuery__DropStmt* drop = DropOf(view); drop != nullptr && is_cascade(drop->behavior)) {
    report(0);
  }
  const auto* truncate = view.As(PG_QUERY__NODE__NODE_TRUNCATE_STMT, &PgQuery__Node::truncate_stmt);
  if (truncate != nullptr && is_cascade(truncate->behavior)) report(0);
  for (const AlterCommand& command : view.commands) {
    if (is_cascade(command.command->behavior)) report(command.offset);
  }
}

void Truncate(const StatementView& view, const SectionState& section, Hits& hits) {
  const auto* truncate = view.As(PG_QUERY__NODE__NODE_TRUNCATE_STMT, &PgQuery__Node::truncate_stmt);
  if (truncate == nullptr) return;
  for (size_t i = 0; i < truncate->n_relations; ++i) {
    const ObjectName table = ObjectOf(truncate->relations[i]);
    if (section.IsNew(table)) continue;
    hits.push_back({0, absl::StrCat("TRUNCATE deletes all rows of ", table.Quoted(),
                                    ", and keeps readers and writers waiting until the end of the "
                                    "transaction")});
  }
}

}  // namespace

std::vector<Rule> DropRules() {
  return {
      {"drop-table", kWarning, Harm::kAlways, InDown::kIgnored,
       "The rows are gone, and programs of the last version may still run.",
       "drop it one release after the last program that uses it, and say so in a waiver",
       DropTable},
      {"drop-column", kWarning, Harm::kAlways, InDown::kIgnored,
       "The values are gone, and programs of the last version may still name the column, also in "
       "SELECT * that they have prepared.",
       "drop it one release after the last program that uses it, and say so in a waiver",
       DropColumn},
      {"drop-schema", kWarning, Harm::kAlways, InDown::kIgnored,
       "All that is in the schema is lost with it.", "drop what is in it by name first",
       DropSchema},
      {"drop-database", kWarning, Harm::kAlways, InDown::kIgnored,
       "A migration that drops a database takes what no revision has made.",
       "leave databases to whoever runs the server", DropDatabase},
      {"drop-view", kWarning, Harm::kAlways, InDown::kIgnored,
       "Programs of the last version may still read the view.",
       "CREATE OR REPLACE VIEW if it changes; drop it one release after the last program that "
       "uses it",
       DropView},
      {"drop-object", kWarning, Harm::kAlways, InDown::kIgnored,
       "Programs of the last version may still use what is dropped.",
       "drop it one release after the last program that uses it, and say so in a waiver",
       DropObject},
      {"drop-constraint", kWarning, Harm::kAlways, InDown::kIgnored,
       "What a constraint has kept out is not found later, and to add it again checks every row.",
       "make the programs ready for such rows first, and say so in a waiver", DropConstraint},
      {"cascade", kWarning, Harm::kAlways, InDown::kIgnored,
       "CASCADE drops, or with TRUNCATE empties, what depends on the object on that one database: "
       "views, foreign keys, other tables.",
       "name what is to go, one statement for each", Cascade},
      {"truncate", kWarning, Harm::kAlways, InDown::kIgnored,
       "TRUNCATE takes an ACCESS EXCLUSIVE lock, and what it deletes comes back only from a "
       "backup.",
       "DELETE in batches if rows are to go; leave data to the programs otherwise", Truncate},
  };
}

}  // namespace migd
