// Rules about names that change under programs that use them.
#include "absl/strings/str_cat.h"
#include "service/lint/rule.h"

namespace migd {
namespace {

const PgQuery__RenameStmt* RenameOf(const StatementView& view) {
  return view.As(PG_QUERY__NODE__NODE_RENAME_STMT, &PgQuery__Node::rename_stmt);
}

std::string NewName(const PgQuery__RenameStmt& rename) { return QuotedName(rename.newname); }

void RenameTable(const StatementView& view, const SectionState& section, Hits& hits) {
  const PgQuery__RenameStmt* rename = RenameOf(view);
  if (rename == nullptr || rename->relation == nullptr) return;
  const ObjectName name = ObjectOf(rename->relation);
  if (section.IsNew(name)) return;
  const char* kind = nullptr;
  switch (rename->rename_type) {
    case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE:
      kind = "table";
      break;
    case PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE:
      kind = "foreign table";
      break;
    case PG_QUERY__OBJECT_TYPE__OBJECT_VIEW:
      kind = "view";
      break;
    case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW:
      kind = "materialized view";
      break;
    case PG_QUERY__OBJECT_TYPE__OBJECT_SEQUENCE:
      kind = "sequence";
      break;
    default:
      return;
  }
  hits.push_back(
      {0, absl::StrCat("programs that use ", kind, " ", name.Quoted(),
                       " fail from the moment at which it is called ", NewName(*rename))});
}

void RenameColumn(const StatementView& view, const SectionState& section, Hits& hits) {
  const PgQuery__RenameStmt* rename = RenameOf(view);
  if (rename == nullptr || rename->relation == nullptr ||
      (rename->rename_type != PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN &&
       rename->rename_type != PG_QUERY__OBJECT_TYPE__OBJECT_ATTRIBUTE)) {
    return;
  }
  const ObjectName table = ObjectOf(rename->relation);
  if (section.IsNewColumn(table, rename->subname)) return;
  hits.push_back({0, absl::StrCat("programs that use column ", QuotedName(rename->subname), " of ",
                                  table.Quoted(), " fail from the moment at which it is called ",
                                  NewName(*rename))});
}

void RenameSchema(const StatementView& view, const SectionState& section, Hits& hits) {
  const PgQuery__RenameStmt* rename = RenameOf(view);
  if (rename == nullptr) return;
  const bool is_schema = rename->rename_type == PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA;
  if (!is_schema && rename->rename_type != PG_QUERY__OBJECT_TYPE__OBJECT_DATABASE) return;
  if (section.IsNew({"", rename->subname})) return;
  hits.push_back(
      {0, absl::StrCat("programs that use ", is_schema ? "schema " : "database ",
                       QuotedName(rename->subname), " fail from the moment at which it is called ",
                       NewName(*rename))});
}

void RenameEnumValue(const StatementView& view, const SectionState& section, Hits& hits) {
  const auto* alter =
      view.As(PG_QUERY__NODE__NODE_ALTER_ENUM_STMT, &PgQuery__Node::alter_enum_stmt);
  if (alter == nullptr || *alter->old_val == '\0') return;
  const ObjectName type = ObjectOf(alter->type_name, alter->n_type_name);
  if (section.IsNew(type)) return;
  hits.push_back(
      {0, absl::StrCat("programs that write or expect the value ", alter->old_val, " of ",
                       type.Quoted(), " fail from the moment at which it is ", alter->new_val)});
}

void RenameObject(const StatementView& view, const SectionState& section, Hits& hits) {
  const PgQuery__RenameStmt* rename = RenameOf(view);
  if (rename == nullptr) return;
  const char* kind = nullptr;
  switch (rename->rename_type) {
    case PG_QUERY__OBJECT_TYPE__OBJECT_TYPE:
      kind = "type";
      break;
    case PG_QUERY__OBJECT_TYPE__OBJECT_DOMAIN:
      kind = "domain";
      break;
    case PG_QUERY__OBJECT_TYPE__OBJECT_FUNCTION:
    case PG_QUERY__OBJECT_TYPE__OBJECT_PROCEDURE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_ROUTINE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_AGGREGATE:
      kind = "function";
      break;
    default:
      return;
  }
  const ObjectName name = ObjectOf(rename->object);
  if (section.IsNew(name)) return;
  hits.push_back(
      {0, absl::StrCat("programs that use ", kind, " ", name.Quoted(),
                       " fail from the moment at which it is called ", NewName(*rename))});
}

void SetSchema(const StatementView& view, const SectionState& section, Hits& hits) {
  const auto* alter = view.As(PG_QUERY__NODE__NODE_ALTER_OBJECT_SCHEMA_STMT,
                              &PgQuery__Node::alter_object_schema_stmt);
  if (alter == nullptr || alter->object_type == PG_QUERY__OBJECT_TYPE__OBJECT_EXTENSION) return;
  const ObjectName name =
      alter->relation != nullptr ? ObjectOf(alter->relation) : ObjectOf(alter->object);
  if (section.IsNew(name)) return;
  hits.push_back({0, absl::StrCat("programs that look for ", name.Quoted(),
                                  " where it was fail from the moment at which it is in schema ",
                                  QuotedName(alter->newschema))});
}

}  // namespace

std::vector<Rule> RenameRules() {
  return {
      {"rename-table", kError, Harm::kAlways, InDown::kIgnored,
       "The old and the new version of a program run side by side while it is rolled out; a table "
       "has only one name.",
       "rename it, and make a view of the old name in the same revision, until nothing uses that; "
       "or make a new table",
       RenameTable},
      {"rename-column", kError, Harm::kAlways, InDown::kIgnored,
       "The old and the new version of a program run side by side while it is rolled out; a column "
       "has only one name.",
       "add a column of the new name, keep both filled by a trigger, and drop the old one when "
       "nothing uses it",
       RenameColumn},
      {"rename-schema", kError, Harm::kAlways, InDown::kIgnored,
       "Everything in the schema gets another name at once.",
       "make a new schema, and views of the old names, until nothing uses them", RenameSchema},
      {"rename-enum-value", kError, Harm::kAlways, InDown::kIgnored,
       "Programs write and compare the values of an enum as texts.",
       "ALTER TYPE ... ADD VALUE, and let the programs change over", RenameEnumValue},
      {"rename-object", kError, Harm::kAlways, InDown::kIgnored,
       "Programs call functions, and name types, by their names.",
       "make one of the new name, and drop the old one when nothing uses it", RenameObject},
      {"set-schema", kError, Harm::kAlways, InDown::kIgnored,
       "A name with its schema is another name after SET SCHEMA, and one without may not be found "
       "by the search_path.",
       "leave a view of the old name behind in the same revision, until nothing uses that",
       SetSchema},
  };
}

}  // namespace migd
