#include "service/sql/tree_walk.h"

#include <algorithm>
#include <cstdint>
#include <set>

#include "absl/strings/str_cat.h"

namespace migd {
namespace {

template <typename Value>
const Value& At(const ProtobufCMessage& message, unsigned offset) {
  return *reinterpret_cast<const Value*>(reinterpret_cast<const char*>(&message) + offset);
}

// Whether the field of a oneof is the one that is set.
bool IsSet(const ProtobufCMessage& message, const ProtobufCFieldDescriptor& field) {
  return (field.flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 ||
         At<uint32_t>(message, field.quantifier_offset) == field.id;
}

template <typename Message>
const Message& As(const ProtobufCMessage& message) {
  return *reinterpret_cast<const Message*>(&message);
}

void CollectWithNames(const ProtobufCMessage& root, std::set<std::string>& names) {
  VisitTree(root, [&](const ProtobufCMessage& message) {
    if (KindOf(message) == "CommonTableExpr") {
      names.insert(As<PgQuery__CommonTableExpr>(message).ctename);
    }
  });
}

// Whether both are the same number or string.
bool IsSameConstant(const PgQuery__Node* left, const PgQuery__Node* right) {
  if (left == nullptr || right == nullptr || left->node_case != PG_QUERY__NODE__NODE_A_CONST ||
      right->node_case != PG_QUERY__NODE__NODE_A_CONST) {
    return false;
  }
  const PgQuery__AConst& one = *left->a_const;
  const PgQuery__AConst& other = *right->a_const;
  if (one.val_case != other.val_case) return false;
  switch (one.val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
      return one.ival->ival == other.ival->ival;
    case PG_QUERY__A__CONST__VAL_SVAL:
      return absl::string_view(one.sval->sval) == other.sval->sval;
    default:
      return false;
  }
}

}  // namespace

absl::string_view KindOf(const ProtobufCMessage& message) { return message.descriptor->short_name; }

void VisitTree(const ProtobufCMessage& root, TreeVisitor visit) {
  visit(root);
  for (unsigned i = 0; i < root.descriptor->n_fields; ++i) {
    const ProtobufCFieldDescriptor& field = root.descriptor->fields[i];
    if (field.type != PROTOBUF_C_TYPE_MESSAGE || !IsSet(root, field)) continue;
    if (field.label == PROTOBUF_C_LABEL_REPEATED) {
      const auto count = At<size_t>(root, field.quantifier_offset);
      ProtobufCMessage** const children = At<ProtobufCMessage**>(root, field.offset);
      for (size_t n = 0; n < count; ++n) VisitTree(*children[n], visit);
    } else if (const ProtobufCMessage* child = At<ProtobufCMessage*>(root, field.offset)) {
      VisitTree(*child, visit);
    }
  }
}

std::vector<const PgQuery__RangeVar*> RelationsIn(const ProtobufCMessage& root) {
  std::set<std::string> with_names;
  CollectWithNames(root, with_names);
  std::vector<const PgQuery__RangeVar*> relations;
  VisitTree(root, [&](const ProtobufCMessage& message) {
    if (KindOf(message) != "RangeVar") return;
    const auto& relation = As<PgQuery__RangeVar>(message);
    const bool names_query = *relation.schemaname == '\0' && with_names.count(relation.relname) > 0;
    if (!names_query) relations.push_back(&relation);
  });
  return relations;
}

std::vector<QualifiedName> FunctionsIn(const ProtobufCMessage& root) {
  std::vector<QualifiedName> functions;
  VisitTree(root, [&](const ProtobufCMessage& message) {
    if (KindOf(message) != "FuncCall") return;
    const auto& call = As<PgQuery__FuncCall>(message);
    functions.push_back(NameOf(NodeList{call.funcname, call.n_funcname}));
  });
  return functions;
}

bool HoldsAlways(const PgQuery__Node* condition) {
  if (condition == nullptr) return true;
  switch (condition->node_case) {
    case PG_QUERY__NODE__NODE_A_CONST:
      return condition->a_const->val_case == PG_QUERY__A__CONST__VAL_BOOLVAL &&
             condition->a_const->boolval->boolval != 0;
    case PG_QUERY__NODE__NODE_A_EXPR: {
      const PgQuery__AExpr& comparison = *condition->a_expr;
      return StringsOf({comparison.name, comparison.n_name}) == std::vector<std::string>{"="} &&
             IsSameConstant(comparison.lexpr, comparison.rexpr);
    }
    case PG_QUERY__NODE__NODE_BOOL_EXPR: {
      const PgQuery__BoolExpr& joined = *condition->bool_expr;
      const NodeList parts = {joined.args, joined.n_args};
      if (joined.boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR) {
        return std::all_of(parts.begin(), parts.end(), HoldsAlways);
      }
      return joined.boolop == PG_QUERY__BOOL_EXPR_TYPE__OR_EXPR &&
             std::any_of(parts.begin(), parts.end(), HoldsAlways);
    }
    default:
      return false;
  }
}

QualifiedName NameOf(const PgQuery__RangeVar& relation) {
  return {relation.schemaname, relation.relname};
}

std::vector<std::string> StringsOf(NodeList strings) {
  std::vector<std::string> texts;
  for (const PgQuery__Node* node : strings) {
    if (node->node_case == PG_QUERY__NODE__NODE_STRING) texts.emplace_back(node->string->sval);
  }
  return texts;
}

QualifiedName NameOf(NodeList strings) {
  const std::vector<std::string> parts = StringsOf(strings);
  if (parts.empty()) return {};
  return {parts.size() > 1 ? parts[parts.size() - 2] : "", parts.back()};
}

QualifiedName NameOf(const PgQuery__Node* object) {
  if (object == nullptr) return {};
  switch (object->node_case) {
    case PG_QUERY__NODE__NODE_LIST:
      return NameOf(NodeList{object->list->items, object->list->n_items});
    case PG_QUERY__NODE__NODE_STRING:
      return {"", object->string->sval};
    case PG_QUERY__NODE__NODE_RANGE_VAR:
      return NameOf(*object->range_var);
    case PG_QUERY__NODE__NODE_TYPE_NAME:
      return NameOf(NodeList{object->type_name->names, object->type_name->n_names});
    case PG_QUERY__NODE__NODE_OBJECT_WITH_ARGS:
      return NameOf(
          NodeList{object->object_with_args->objname, object->object_with_args->n_objname});
    default:
      return {};
  }
}

std::string DisplayName(const QualifiedName& name) {
  return name.schema.empty() ? name.name : absl::StrCat(name.schema, ".", name.name);
}

}  // namespace migd
