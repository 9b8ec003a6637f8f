#include "service/lint/fix.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "service/lint/statement_view.h"
#include "service/lint/tree.h"
#include "service/lint/unified_diff.h"
#include "service/revision/lineage.h"
#include "service/script/migration_text.h"
#include "service/script/new_revision.h"
#include "service/script/sql_lexer.h"
#include "service/sql/parse_tree.h"

namespace migd {
namespace {

using migration::v1::Finding;
using migration::v1::ProposedFile;

// PostgreSQL's own limit for names.
constexpr size_t kLongestName = 63;

// A change of a text.
struct Edit {
  size_t begin = 0;
  size_t end = 0;
  std::string text;
};

std::string Apply(absl::string_view text, std::vector<Edit> edits) {
  std::stable_sort(edits.begin(), edits.end(),
                   [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
  std::string changed;
  size_t at = 0;
  for (const Edit& edit : edits) {
    absl::StrAppend(&changed, text.substr(at, edit.begin - at), edit.text);
    at = edit.end;
  }
  absl::StrAppend(&changed, text.substr(at));
  return changed;
}

// Whether a name stands in SQL, as a word or in quotes.
bool Mentions(absl::string_view sql, absl::string_view name) {
  // Most statements do not, and some are large: they are not taken apart.
  const auto is_same = [](unsigned char a, unsigned char b) {
    return absl::ascii_tolower(a) == absl::ascii_tolower(b);
  };
  if (std::search(sql.begin(), sql.end(), name.begin(), name.end(), is_same) == sql.end()) {
    return false;
  }
  SqlLexer lexer(sql);
  for (Token token = lexer.NextOfStatement(); token.kind != Token::Kind::kEnd;
       token = lexer.NextOfStatement()) {
    const absl::string_view text = lexer.TextOf(token);
    if (token.kind == Token::Kind::kWord && absl::EqualsIgnoreCase(text, name)) return true;
    if (token.kind == Token::Kind::kQuotedName && text.substr(1, text.size() - 2) == name) {
      return true;
    }
  }
  return false;
}

// Where the word INDEX of a statement ends, or that for what REINDEX builds anew: behind it goes
// CONCURRENTLY.
size_t BehindIndexWord(absl::string_view sql) {
  SqlLexer lexer(sql);
  const auto is_kind = [&](const Token& token) {
    return lexer.IsWord(token, "index") || lexer.IsWord(token, "table") ||
           lexer.IsWord(token, "schema") || lexer.IsWord(token, "database");
  };
  Token token = lexer.NextOfStatement();
  while (token.kind != Token::Kind::kEnd && !is_kind(token)) token = lexer.NextOfStatement();
  return token.end;
}

// How long a type is that begins at `begin`: its words, and its modifiers, which end `words`.
struct TypeSpan {
  size_t words = 0;
  size_t end = 0;
  // As they stand, with their parentheses.
  std::string modifiers;
};

// Of a type that is written without a schema and without quotes.
TypeSpan SpanOfType(absl::string_view sql, size_t begin) {
  static const std::set<std::string>& further = *new std::set<std::string>{
      "varying", "without", "with", "time", "zone", "large", "precision"};
  TypeSpan span = {begin, begin, ""};
  SqlLexer lexer(sql, begin);
  bool is_first = true;
  for (Token token = lexer.NextOfStatement(); token.kind != Token::Kind::kEnd;
       token = lexer.NextOfStatement()) {
    const bool is_word =
        token.kind == Token::Kind::kWord &&
        (is_first || further.count(absl::AsciiStrToLower(lexer.TextOf(token))) > 0);
    const bool opens = span.modifiers.empty() && lexer.IsSymbol(token, '(');
    if (!is_word && !opens) break;
    if (opens) {
      const size_t open = token.begin;
      while (token.kind != Token::Kind::kEnd && !lexer.IsSymbol(token, ')')) {
        token = lexer.NextOfStatement();
      }
      span.modifiers = std::string(sql.substr(open, token.end - open));
    } else if (is_first) {
      span.words = token.end;
    }
    span.end = token.end;
    is_first = false;
  }
  return span;
}

// `text` cut off where PostgreSQL cuts a name off, at the end of a character.
absl::string_view CutName(absl::string_view text) {
  size_t size = std::min(text.size(), kLongestName);
  while (size < text.size() && size > 0 &&
         (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) {
    --size;
  }
  return text.substr(0, size);
}

// Where the last token of the command ends that begins at `begin` and ends before `end`.
size_t EndOfCommand(absl::string_view sql, size_t begin, size_t end) {
  SqlLexer lexer(sql.substr(0, end), begin);
  size_t last = begin;
  for (Token token = lexer.NextOfStatement(); token.kind != Token::Kind::kEnd;
       token = lexer.NextOfStatement()) {
    SqlLexer next = lexer;
    const bool is_separator =
        lexer.IsSymbol(token, ',') && next.NextOfStatement().kind == Token::Kind::kEnd;
    if (!is_separator) last = token.end;
  }
  return last;
}

// The columns that an expression names; each once.
void CollectColumns(const PgQuery__Node* expression, std::set<std::string>& columns) {
  if (expression == nullptr) return;
  switch (expression->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF: {
      const PgQuery__ColumnRef& column = *expression->column_ref;
      columns.insert(TextOf(column.fields[column.n_fields - 1]));
      return;
    }
    case PG_QUERY__NODE__NODE_A_EXPR:
      CollectColumns(expression->a_expr->lexpr, columns);
      return CollectColumns(expression->a_expr->rexpr, columns);
    case PG_QUERY__NODE__NODE_NULL_TEST:
      return CollectColumns(expression->null_test->arg, columns);
    case PG_QUERY__NODE__NODE_A_CONST:
      return;
    case PG_QUERY__NODE__NODE_TYPE_CAST:
      return CollectColumns(expression->type_cast->arg, columns);
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
      for (size_t i = 0; i < expression->bool_expr->n_args; ++i) {
        CollectColumns(expression->bool_expr->args[i], columns);
      }
      return;
    case PG_QUERY__NODE__NODE_LIST:
      for (size_t i = 0; i < expression->list->n_items; ++i) {
        CollectColumns(expression->list->items[i], columns);
      }
      return;
    case PG_QUERY__NODE__NODE_FUNC_CALL:
      for (size_t i = 0; i < expression->func_call->n_args; ++i) {
        CollectColumns(expression->func_call->args[i], columns);
      }
      return;
    default:
      // What is not known here may name any column.
      columns.insert("");
      return;
  }
}

// The name that PostgreSQL gives a constraint without one (ChooseConstraintName), as long as
// nothing else is called so; empty where that is not known here.
std::string NameOfConstraint(const ObjectName& table, const PgQuery__Constraint& constraint) {
  if (*constraint.conname != '\0') return constraint.conname;
  std::string name;
  if (constraint.contype == PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN) {
    std::vector<std::string> columns;
    for (size_t i = 0; i < constraint.n_fk_attrs; ++i) {
      columns.push_back(TextOf(constraint.fk_attrs[i]));
    }
    name = absl::StrCat(table.name, "_", absl::StrJoin(columns, "_"), "_fkey");
  } else {
    std::set<std::string> columns;
    CollectColumns(constraint.raw_expr, columns);
    if (columns.count("") > 0) return "";
    name = columns.size() == 1 ? absl::StrCat(table.name, "_", *columns.begin(), "_check")
                               : absl::StrCat(table.name, "_check");
  }
  return name.size() <= kLongestName ? name : "";
}

// The columns of a list of names, in quotes where they need them.
std::string ColumnList(PgQuery__Node* const* names, size_t count) {
  std::vector<std::string> columns;
  for (size_t i = 0; i < count; ++i) columns.push_back(QuotedName(TextOf(names[i])));
  return absl::StrCat("(", absl::StrJoin(columns, ", "), ")");
}

// The same for a key: <table>_pkey, <table>_<columns>_key. `column` is that of a key that stands
// with its column.
std::string NameOfKey(const ObjectName& table, const PgQuery__Constraint& key,
                      absl::string_view column) {
  if (*key.conname != '\0') return key.conname;
  std::vector<std::string> columns;
  for (size_t i = 0; i < key.n_keys; ++i) columns.push_back(TextOf(key.keys[i]));
  if (!column.empty()) columns.emplace_back(column);
  const std::string name = key.contype == PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY
                               ? absl::StrCat(table.name, "_pkey")
                               : absl::StrCat(table.name, "_", absl::StrJoin(columns, "_"), "_key");
  return name.size() <= kLongestName ? name : "";
}

// What a revision becomes, and what follows it.
struct Rewrite {
  std::vector<Edit> edits;
  // Statements of the revision that follows, with their semicolons.
  std::vector<std::string> up;
  std::vector<std::string> down;
  std::set<std::string> rules;
};

// Rewrites one file. Runs on a deep stack.
class Rewriter {
 public:
  // `later` is SQL of the revisions above, which may rely on what this one leaves.
  Rewriter(const MigrationFile& file, const std::vector<LintFinding>& findings,
           const std::vector<absl::string_view>& later)
      : file_(file), later_(later) {
    for (const LintFinding& found : findings) {
      const Finding& finding = found.finding;
      const bool counts = !finding.is_waived() &&
                          finding.direction() == migration::v1::DIRECTION_UPGRADE &&
                          finding.statement_index() > 0;
      if (!counts) continue;
      found_[finding.statement_index()].insert(finding.rule());
      places_[finding.statement_index()].push_back({finding.rule(), found.offset});
    }
  }

  Rewrite Run() {
    if (!RewriteWholeSection()) {
      bool is_unfinished = false;
      for (const auto& [index, rules] : found_) {
        is_unfinished = is_unfinished || rules.count("unfinished-transaction") > 0;
        RewriteStatement(index, rules);
      }
      // What moves out of a transaction of the section's own might not be all that it is about.
      if (is_unfinished && rewrite_.up.empty()) EndTransaction();
    }
    return std::move(rewrite_);
  }

 private:
  // A rule, and where in its statement it finds something, in bytes.
  struct Place {
    std::string rule;
    size_t offset = 0;
  };

  const Section& up() const { return file_.up(); }
  const Statement& StatementAt(int index) const { return up().statements[index - 1]; }

  void Insert(const Statement& statement, size_t at, std::string text) {
    rewrite_.edits.push_back({statement.offset + at, statement.offset + at, std::move(text)});
  }

  // Where a line begins, from 1.
  size_t LineStart(int line) const {
    const absl::string_view text = file_.contents();
    size_t at = 0;
    for (int i = 1; i < line; ++i) at = text.find('\n', at) + 1;
    return at;
  }

  void MakeNonTransactional(const Section& section, absl::string_view name) {
    const absl::string_view text = file_.contents();
    const size_t begin = LineStart(section.line);
    size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin && text[end - 1] == '\r') --end;
    rewrite_.edits.push_back({begin, end, absl::StrCat("-- migrate:", name, " transaction:false")});
  }

  // --- A section of nothing but indexes ---

  // The statement becomes right by the word CONCURRENTLY, or has it already.
  static bool IsIndexStatement(const Statement& statement) {
    const ParseTree tree = ParseTree::Read(statement.text);
    const PgQuery__Node* root = tree.root();
    if (root == nullptr) return false;
    if (root->node_case == PG_QUERY__NODE__NODE_INDEX_STMT) {
      return *root->index_stmt->idxname != '\0' && root->index_stmt->relation->inh;
    }
    if (root->node_case == PG_QUERY__NODE__NODE_REINDEX_STMT) {
      // That of a whole database has system catalogs in it, which CONCURRENTLY passes over.
      return root->reindex_stmt->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_INDEX ||
             root->reindex_stmt->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_TABLE;
    }
    // PostgreSQL drops one index at a time so, and nothing that depends on it.
    return root->node_case == PG_QUERY__NODE__NODE_DROP_STMT &&
           root->drop_stmt->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_INDEX &&
           root->drop_stmt->n_objects == 1 &&
           root->drop_stmt->behavior != PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
  }

  static bool HasOnlyIndexStatements(const Section& section) {
    return !section.statements.empty() &&
           std::all_of(section.statements.begin(), section.statements.end(), IsIndexStatement);
  }

  void MakeConcurrent(const Statement& statement) {
    if (IsConcurrent(statement.text)) return;
    Insert(statement, BehindIndexWord(statement.text), " CONCURRENTLY");
  }

  bool RewriteWholeSection() {
    static const std::set<std::string> mended = {
        "index-not-concurrent", "drop-index-not-concurrent", "reindex-not-concurrent",
        "concurrent-in-transaction"};
    for (const auto& [index, rules] : found_) {
      std::set_intersection(rules.begin(), rules.end(), mended.begin(), mended.end(),
                            std::inserter(rewrite_.rules, rewrite_.rules.end()));
    }
    if (rewrite_.rules.empty() || !HasOnlyIndexStatements(up())) {
      rewrite_.rules.clear();
      return false;
    }
    for (const Statement& statement : up().statements) MakeConcurrent(statement);
    if (up().transactional) MakeNonTransactional(up(), "up");
    if (HasOnlyIndexStatements(file_.down())) {
      for (const Statement& statement : file_.down().statements) MakeConcurrent(statement);
      if (file_.down().transactional) MakeNonTransactional(file_.down(), "down");
    }
    return true;
  }

  // --- Single statements ---

  void RewriteStatement(int index, const std::set<std::string>& rules) {
    const Statement& statement = StatementAt(index);
    const size_t edits_before = rewrite_.edits.size();
    const ParseTree tree = ParseTree::Read(statement.text);
    if (tree.root() == nullptr) return;
    const StatementView view(statement, *tree.root());
    if (view.root.node_case == PG_QUERY__NODE__NODE_INDEX_STMT) {
      return RewriteIndex(index, *view.root.index_stmt, rules);
    }
    if (rules.count("drop-index-not-concurrent") > 0) {
      return RewriteDropIndex(index, *view.root.drop_stmt);
    }
    if (rules.count("reindex-not-concurrent") > 0 && !up().transactional &&
        IsIndexStatement(statement)) {
      MakeConcurrent(statement);
      rewrite_.rules.insert("reindex-not-concurrent");
      return;
    }
    if (rules.count("domain-constraint") > 0) {
      return RewriteDomain(index, *view.root.alter_domain_stmt);
    }
    if (rules.count("validate-in-same-transaction") > 0) return MoveValidation(index, view);
    if (KeysIn(view) == 1 && RewriteKey(index, view, rules)) return;
    for (size_t i = 0; i < view.commands.size(); ++i) {
      const size_t end =
          i + 1 < view.commands.size() ? view.commands[i + 1].offset : statement.text.size();
      RewriteCommand(index, view.commands[i], end, rules);
    }
    // What was rewritten already is looked at again when it is read the next time.
    const bool is_untouched = rewrite_.edits.size() == edits_before;
    if (is_untouched) RewriteWords(statement, places_[index]);
  }

  // --- Keys ---

  // A key that the statement adds, and that builds its index.
  static bool IsKey(const AddedConstraint& added) {
    const PgQuery__Constraint& key = *added.constraint;
    return (key.contype == PG_QUERY__CONSTR_TYPE__CONSTR_UNIQUE ||
            key.contype == PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY) &&
           *key.indexname == '\0';
  }

  static size_t KeysIn(const StatementView& view) {
    return static_cast<size_t>(
        std::count_if(view.constraints.begin(), view.constraints.end(), IsKey));
  }

  // Builds the index of the one key that the statement adds beforehand, without standing in
  // anybody's way. False if the statement is left as it is.
  bool RewriteKey(int index, const StatementView& view, const std::set<std::string>& rules) {
    const AddedConstraint& added =
        *std::find_if(view.constraints.begin(), view.constraints.end(), IsKey);
    const PgQuery__Constraint& key = *added.constraint;
    const bool is_primary = key.contype == PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY;
    const std::string rule = is_primary ? "primary-key-not-using-index" : "unique-not-using-index";
    const std::string column = added.column == nullptr ? "" : added.column->colname;
    const std::string name = NameOfKey(added.table, key, column);
    const bool is_plain = key.n_options == 0 && *key.indexspace == '\0';
    if (rules.count(rule) == 0 || !is_plain || name.empty() || IsNamedLater(index, name) ||
        IsKeyNeededLater(index, added.table.name)) {
      return false;
    }
    // A primary key that comes with its column finds no value in it.
    const bool is_inline = added.column != nullptr;
    if (is_inline ? is_primary || !IsPlainUnique(view.statement, key) : !CanTakeOut(view)) {
      return false;
    }
    if (!CanUndoKey(added.table, name)) return false;
    const std::vector<std::string> making = StatementsForKey(added, name, column);
    const Statement& statement = view.statement;
    rewrite_.rules.insert(rule);
    if (!is_inline && view.commands.size() == 1 && !up().transactional) {
      std::string text = absl::StrJoin(making, "\n");
      text.pop_back();
      rewrite_.edits.push_back(
          {statement.offset, statement.offset + statement.text.size(), std::move(text)});
      return true;
    }
    std::string comment;
    if (is_inline) {
      const size_t at = static_cast<size_t>(key.location);
      rewrite_.edits.push_back(
          {statement.offset + statement.text.substr(0, at).find_last_not_of(" \t\r\n") + 1,
           statement.offset + at + absl::string_view("UNIQUE").size(), ""});
    } else if (view.commands.size() == 1) {
      comment = Remove(statement);
    } else {
      TakeOut(view, added.offset);
    }
    rewrite_.up.push_back(comment + making.front());
    rewrite_.up.insert(rewrite_.up.end(), making.begin() + 1, making.end());
    rewrite_.down.push_back(absl::StrCat("ALTER TABLE ", added.table.Quoted(), " DROP CONSTRAINT ",
                                         QuotedName(name), ";"));
    RemoveDropOfKey(added.table, name);
    return true;
  }

  // The word UNIQUE alone, with nothing that says what kind of key it is.
  static bool IsPlainUnique(const Statement& statement, const PgQuery__Constraint& key) {
    constexpr absl::string_view kUnique = "UNIQUE";
    return *key.conname == '\0' && !key.deferrable && !key.nulls_not_distinct &&
           key.n_including == 0 && key.location > 0 &&
           absl::EqualsIgnoreCase(
               statement.text.substr(static_cast<size_t>(key.location), kUnique.size()), kUnique);
  }

  // The commands of the statement stand in its text one after the other.
  static bool CanTakeOut(const StatementView& view) {
    for (size_t i = 1; i < view.commands.size(); ++i) {
      if (view.commands[i].offset <= view.commands[i - 1].offset) return false;
    }
    return !view.commands.empty();
  }

  // Takes the command that begins at `offset` out of a statement that has others, with its comma.
  void TakeOut(const StatementView& view, size_t offset) {
    const absl::string_view sql = view.statement.text;
    const auto end_of = [&](size_t i) {
      const size_t end = i + 1 < view.commands.size() ? view.commands[i + 1].offset : sql.size();
      return EndOfCommand(sql, view.commands[i].offset, end);
    };
    for (size_t i = 0; i < view.commands.size(); ++i) {
      if (view.commands[i].offset != offset) continue;
      const size_t begin = i == 0 ? offset : end_of(i - 1);
      const size_t end = i == 0 ? view.commands[1].offset : end_of(i);
      rewrite_.edits.push_back({view.statement.offset + begin, view.statement.offset + end, ""});
    }
  }

  // The index has the name of the constraint, which ADD CONSTRAINT ... USING INDEX would give it.
  static std::vector<std::string> StatementsForKey(const AddedConstraint& added,
                                                   const std::string& name,
                                                   const std::string& column) {
    const PgQuery__Constraint& key = *added.constraint;
    const bool is_primary = key.contype == PG_QUERY__CONSTR_TYPE__CONSTR_PRIMARY;
    const std::string table = added.table.Quoted();
    const std::string alter = absl::StrCat("ALTER TABLE ", table, " ");
    std::vector<std::string> statements;
    std::vector<std::string> dropped;
    // ADD PRIMARY KEY says NOT NULL of its columns, and looks for nulls unless that is proven.
    for (size_t i = 0; is_primary && i < key.n_keys; ++i) {
      const std::string one = TextOf(key.keys[i]);
      const std::string check =
          QuotedName(absl::StrCat(added.table.name, "_", one, "_is_not_null"));
      statements.push_back(absl::StrCat(alter, "ADD CONSTRAINT ", check, " CHECK (",
                                        QuotedName(one), " IS NOT NULL) NOT VALID;"));
      statements.push_back(absl::StrCat(alter, "VALIDATE CONSTRAINT ", check, ";"));
      statements.push_back(absl::StrCat(alter, "ALTER COLUMN ", QuotedName(one), " SET NOT NULL;"));
      dropped.push_back(absl::StrCat(alter, "DROP CONSTRAINT ", check, ";"));
    }
    statements.insert(statements.end(), dropped.begin(), dropped.end());
    statements.push_back(absl::StrCat(
        "CREATE UNIQUE INDEX CONCURRENTLY ", QuotedName(name), " ON ", table, " ",
        column.empty() ? ColumnList(key.keys, key.n_keys)
                       : absl::StrCat("(", QuotedName(column), ")"),
        key.n_including > 0 ? " INCLUDE " + ColumnList(key.including, key.n_including) : "",
        key.nulls_not_distinct ? " NULLS NOT DISTINCT" : "", ";"));
    statements.push_back(absl::StrCat(alter, "ADD CONSTRAINT ", QuotedName(name),
                                      is_primary ? " PRIMARY KEY" : " UNIQUE", " USING INDEX ",
                                      QuotedName(name), key.deferrable ? " DEFERRABLE" : "",
                                      key.initdeferred ? " INITIALLY DEFERRED" : "", ";"));
    return statements;
  }

  // The statement drops the constraint and does nothing else.
  static bool DropsKey(const StatementView& view, const ObjectName& table,
                       const std::string& name) {
    return view.commands.size() == 1 && IsDropOf(view.commands[0], table, name);
  }

  static bool IsDropOf(const AlterCommand& command, const ObjectName& table,
                       const std::string& name) {
    return command.command->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_DropConstraint &&
           command.command->name == name && command.relation.MayBe(table);
  }

  // The revision that follows is taken down first and drops the key, so this one must be able to
  // leave that out: nothing that the down section does but that needs the key to be there.
  bool CanUndoKey(const ObjectName& table, const std::string& name) const {
    for (const Statement& statement : file_.down().statements) {
      if (!Mentions(statement.text, name)) continue;
      const ParseTree tree = ParseTree::Read(statement.text);
      if (tree.root() == nullptr) return false;
      if (!DropsKey(StatementView(statement, *tree.root()), table, name)) return false;
    }
    return true;
  }

  void RemoveDropOfKey(const ObjectName& table, const std::string& name) {
    for (const Statement& statement : file_.down().statements) {
      const ParseTree tree = ParseTree::Read(statement.text);
      if (tree.root() == nullptr) continue;
      if (DropsKey(StatementView(statement, *tree.root()), table, name)) Remove(statement);
    }
  }

  // --- Words ---

  // What to write instead of a type that begins with `word`, by its rule; empty where that takes a
  // decision, or the type is written otherwise than most do.
  static std::string BetterType(const std::string& rule, const std::string& word,
                                const std::string& modifiers) {
    using Words = std::set<std::string>;
    static const Words& characters = *new Words{"char", "character", "bpchar"};
    static const Words& integers = *new Words{"int", "integer", "int4", "int2", "smallint"};
    static const Words& serials = *new Words{"serial", "serial2", "serial4", "smallserial"};
    if (rule == "char-type" && characters.count(word) > 0) {
      return modifiers.empty() ? "text" : "varchar" + modifiers;
    }
    if (rule == "timestamp-without-zone" && word == "timestamp") return "timestamptz" + modifiers;
    if (rule == "json-type" && word == "json") return "jsonb";
    if (rule == "varchar-length" && (word == "varchar" || word == "character")) return "text";
    if (rule == "small-key" && integers.count(word) > 0) return "bigint";
    if (rule == "small-key" && serials.count(word) > 0) return "bigserial";
    return "";
  }

  // Replaces the words at which `places`, each of a rule, point: types, and names that PostgreSQL
  // would cut off.
  void RewriteWords(const Statement& statement, const std::vector<Place>& places) {
    for (const auto& [rule, at] : places) {
      size_t end = at;
      std::string better;
      if (rule == "identifier-too-long") {
        SqlLexer lexer(statement.text, at);
        const Token token = lexer.NextOfStatement();
        const bool is_quoted = token.kind == Token::Kind::kQuotedName;
        const absl::string_view text = lexer.TextOf(token);
        // Quotes within quotes are not counted as PostgreSQL counts them.
        if (absl::StrContains(text.substr(1), R"("")")) continue;
        end = token.end;
        better = is_quoted ? absl::StrCat("\"", CutName(text.substr(1, text.size() - 2)), "\"")
                           : std::string(CutName(text));
      } else {
        const TypeSpan span = SpanOfType(statement.text, at);
        end = span.end;
        better = BetterType(rule, absl::AsciiStrToLower(statement.text.substr(at, span.words - at)),
                            span.modifiers);
      }
      if (better.empty()) continue;
      rewrite_.edits.push_back({statement.offset + at, statement.offset + end, better});
      rewrite_.rules.insert(rule);
    }
  }

  // --- Others ---

  // Moves to the revision that follows, if the down section says how to make the index again.
  void RewriteDropIndex(int index, const PgQuery__DropStmt& drop) {
    const Statement& statement = StatementAt(index);
    if (!IsIndexStatement(statement)) return;
    if (!up().transactional) {
      MakeConcurrent(statement);
      rewrite_.rules.insert("drop-index-not-concurrent");
      return;
    }
    const ObjectName name = ObjectOf(drop.objects[0]);
    const Statement* creation = CreationInDown(name);
    if (creation == nullptr || IsNamedLater(index, name.name)) return;
    const std::string comment = Remove(statement);
    rewrite_.up.push_back(absl::StrCat(comment, Concurrently(statement.text), ";"));
    rewrite_.down.push_back(absl::StrCat(Concurrently(creation->text), ";"));
    Remove(*creation);
    rewrite_.rules.insert("drop-index-not-concurrent");
  }

  // The one statement of the down section that makes the index; null if there is none, or several.
  const Statement* CreationInDown(const ObjectName& index) const {
    const Statement* creation = nullptr;
    for (const Statement& statement : file_.down().statements) {
      if (!Mentions(statement.text, index.name)) continue;
      const ParseTree tree = ParseTree::Read(statement.text);
      const PgQuery__Node* root = tree.root();
      const bool makes_it = root != nullptr && root->node_case == PG_QUERY__NODE__NODE_INDEX_STMT &&
                            root->index_stmt->idxname == index.name;
      if (!makes_it || creation != nullptr) return nullptr;
      creation = &statement;
    }
    return creation;
  }

  static std::string Concurrently(absl::string_view sql) {
    if (IsConcurrent(sql)) return std::string(sql);
    const size_t at = BehindIndexWord(sql);
    return absl::StrCat(sql.substr(0, at), " CONCURRENTLY", sql.substr(at));
  }

  void RewriteDomain(int index, const PgQuery__AlterDomainStmt& alter) {
    const PgQuery__Constraint* constraint = ConstraintOf(alter.def);
    const ObjectName domain = ObjectOf(alter.type_name, alter.n_type_name);
    const bool has_name = constraint != nullptr && *constraint->conname != '\0';
    const std::string name = has_name ? constraint->conname : domain.name + "_check";
    if (constraint == nullptr || name.size() > kLongestName || IsNamedLater(index, name)) return;
    const Statement& statement = StatementAt(index);
    if (!has_name) {
      Insert(statement, static_cast<size_t>(constraint->location),
             absl::StrCat("CONSTRAINT ", QuotedName(name), " "));
    }
    Insert(statement, EndOfCommand(statement.text, 0, statement.text.size()), " NOT VALID");
    rewrite_.up.push_back(absl::StrCat("ALTER DOMAIN ", domain.Quoted(), " VALIDATE CONSTRAINT ",
                                       QuotedName(name), ";"));
    rewrite_.rules.insert("domain-constraint");
  }

  void EndTransaction() {
    const Statement& last = up().statements.back();
    SqlLexer lexer(file_.contents(), last.offset + last.text.size());
    const Token semicolon = lexer.NextOfStatement();
    const bool is_ended = lexer.IsSymbol(semicolon, ';');
    const size_t at = is_ended ? semicolon.end : last.offset + last.text.size();
    rewrite_.edits.push_back({at, at, is_ended ? "\nCOMMIT;" : ";\nCOMMIT;"});
    rewrite_.rules.insert("unfinished-transaction");
  }

  // A later statement of the section, or a revision above, has the name in it.
  bool IsNamedLater(int index, const std::string& name) const {
    for (size_t i = static_cast<size_t>(index); i < up().statements.size(); ++i) {
      if (Mentions(up().statements[i].text, name)) return true;
    }
    return std::any_of(later_.begin(), later_.end(),
                       [&name](absl::string_view sql) { return Mentions(sql, name); });
  }

  // The same, of a table and its keys: a foreign key or ON CONFLICT relies on a unique index
  // without naming it.
  bool IsKeyNeededLater(int index, const std::string& table) const {
    const auto needs_key = [&table](absl::string_view sql) {
      return Mentions(sql, table) && (Mentions(sql, "references") || Mentions(sql, "conflict"));
    };
    return std::any_of(up().statements.begin() + index, up().statements.end(),
                       [&](const Statement& statement) { return needs_key(statement.text); }) ||
           std::any_of(later_.begin(), later_.end(), needs_key);
  }

  void RewriteIndex(int index, const PgQuery__IndexStmt& built,
                    const std::set<std::string>& rules) {
    const std::string rule = rules.count("index-not-concurrent") > 0 ? "index-not-concurrent"
                                                                     : "concurrent-in-transaction";
    if (rules.count(rule) == 0 || *built.idxname == '\0') return;
    const Statement& statement = StatementAt(index);
    if (!up().transactional && rule == "index-not-concurrent") {
      MakeConcurrent(statement);
      rewrite_.rules.insert(rule);
      return;
    }
    const ObjectName table = ObjectOf(built.relation);
    if (IsNamedLater(index, built.idxname) ||
        (built.unique && IsKeyNeededLater(index, table.name))) {
      return;
    }
    const std::string sql = Concurrently(statement.text);
    const std::string comment = Remove(statement);
    rewrite_.up.push_back(absl::StrCat(comment, sql, ";"));
    const ObjectName name = {table.schema, built.idxname};
    rewrite_.down.push_back(absl::StrCat("DROP INDEX CONCURRENTLY IF EXISTS ", name.Quoted(), ";"));
    RemoveDropOf(name);
    rewrite_.rules.insert(rule);
  }

  // The revision that follows is taken down first, and drops its index itself.
  void RemoveDropOf(const ObjectName& index) {
    for (const Statement& statement : file_.down().statements) {
      const ParseTree tree = ParseTree::Read(statement.text);
      const PgQuery__Node* root = tree.root();
      const bool drops_it = root != nullptr && root->node_case == PG_QUERY__NODE__NODE_DROP_STMT &&
                            root->drop_stmt->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_INDEX &&
                            root->drop_stmt->n_objects == 1 &&
                            ObjectOf(root->drop_stmt->objects[0]).MayBe(index);
      if (drops_it) Remove(statement);
    }
  }

  void MoveValidation(int index, const StatementView& view) {
    if (view.commands.size() != 1) return;
    const Statement& statement = StatementAt(index);
    const std::string comment = Remove(statement);
    rewrite_.up.push_back(absl::StrCat(comment, statement.text, ";"));
    rewrite_.rules.insert("validate-in-same-transaction");
  }

  void RewriteCommand(int index, const AlterCommand& command, size_t end,
                      const std::set<std::string>& rules) {
    switch (command.command->subtype) {
      case PG_QUERY__ALTER_TABLE_TYPE__AT_SetNotNull:
        if (rules.count("set-not-null") > 0) RewriteSetNotNull(index, command, end);
        return;
      case PG_QUERY__ALTER_TABLE_TYPE__AT_AddConstraint:
        if (const PgQuery__Constraint* constraint = ConstraintOf(command.command->def)) {
          RewriteConstraint(index, command, *constraint, end, rules);
        }
        return;
      default:
        return;
    }
  }

  void RewriteConstraint(int index, const AlterCommand& command,
                         const PgQuery__Constraint& constraint, size_t end,
                         const std::set<std::string>& rules) {
    const bool is_foreign = constraint.contype == PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN;
    const std::string rule = is_foreign ? "foreign-key-not-valid" : "check-not-valid";
    if (constraint.skip_validation || rules.count(rule) == 0 ||
        (!is_foreign && constraint.contype != PG_QUERY__CONSTR_TYPE__CONSTR_CHECK)) {
      return;
    }
    const Statement& statement = StatementAt(index);
    const std::string name = NameOfConstraint(command.relation, constraint);
    if (name.empty() || IsNamedLater(index, name)) return;
    if (*constraint.conname == '\0') {
      Insert(statement, static_cast<size_t>(constraint.location),
             absl::StrCat("CONSTRAINT ", QuotedName(name), " "));
    }
    Insert(statement, EndOfCommand(statement.text, command.offset, end), " NOT VALID");
    rewrite_.up.push_back(Alter(command, absl::StrCat("VALIDATE CONSTRAINT ", QuotedName(name))));
    rewrite_.rules.insert(rule);
  }

  void RewriteSetNotNull(int index, const AlterCommand& command, size_t end) {
    const Statement& statement = StatementAt(index);
    const std::string column = command.command->name;
    // PostgreSQL 18 calls the constraint behind NOT NULL itself <table>_<column>_not_null.
    const std::string name = absl::StrCat(command.relation.name, "_", column, "_is_not_null");
    if (name.size() > kLongestName || IsNamedLater(index, name)) return;
    const std::string check = absl::StrCat("ADD CONSTRAINT ", QuotedName(name), " CHECK (",
                                           QuotedName(column), " IS NOT NULL) NOT VALID");
    const std::string set = absl::StrCat("ALTER COLUMN ", QuotedName(column));
    const std::string drop_check = absl::StrCat("DROP CONSTRAINT ", QuotedName(name));
    rewrite_.edits.push_back({statement.offset + command.offset,
                              statement.offset + EndOfCommand(statement.text, command.offset, end),
                              check});
    rewrite_.up.push_back(Alter(command, absl::StrCat("VALIDATE CONSTRAINT ", QuotedName(name))));
    rewrite_.up.push_back(Alter(command, absl::StrCat(set, " SET NOT NULL")));
    rewrite_.up.push_back(Alter(command, drop_check));
    rewrite_.down.push_back(Alter(command, check));
    rewrite_.down.push_back(Alter(command, absl::StrCat(set, " DROP NOT NULL")));
    UndoFirst(Alter(command, drop_check));
    rewrite_.rules.insert("set-not-null");
  }

  // Puts a statement before all others of the down section.
  void UndoFirst(const std::string& sql) {
    if (!file_.down().present) return;
    if (!file_.down().statements.empty()) {
      const size_t at = file_.down().statements.front().offset;
      rewrite_.edits.push_back({at, at, absl::StrCat(sql, "\n")});
      return;
    }
    const absl::string_view text = file_.contents();
    const size_t end = text.find('\n', LineStart(file_.down().line));
    const size_t at = end == text.npos ? text.size() : end + 1;
    rewrite_.edits.push_back({at, at, absl::StrCat(end == text.npos ? "\n" : "", sql, "\n")});
  }

  static std::string Alter(const AlterCommand& command, absl::string_view action) {
    return absl::StrCat("ALTER TABLE ", command.relation.Quoted(), " ", action, ";");
  }

  // Removes a statement with its semicolon, and the comment lines right above it, which are
  // returned.
  std::string Remove(const Statement& statement) {
    const absl::string_view text = file_.contents();
    const size_t line = text.rfind('\n', statement.offset) + 1;
    size_t begin = statement.offset;
    if (absl::StripAsciiWhitespace(text.substr(line, begin - line)).empty()) begin = line;
    size_t first = begin;
    while (begin == line && first > 1) {
      const size_t above = text.rfind('\n', first - 2) + 1;
      const absl::string_view comment =
          absl::StripAsciiWhitespace(text.substr(above, first - above));
      const bool is_marker = absl::StrContains(comment, "migrate:");
      if (!absl::StartsWith(comment, "--") || is_marker) break;
      first = above;
    }
    SqlLexer lexer(text, statement.offset + statement.text.size());
    const Token semicolon = lexer.NextOfStatement();
    size_t end =
        lexer.IsSymbol(semicolon, ';') ? semicolon.end : statement.offset + statement.text.size();
    if (end < text.size() && text[end] == '\r') ++end;
    if (begin == line && end < text.size() && text[end] == '\n') ++end;
    rewrite_.edits.push_back({first, end, ""});
    return std::string(text.substr(first, begin - first));
  }

  const MigrationFile& file_;
  const std::vector<absl::string_view>& later_;
  // The rules that find something, by statement.
  std::map<int, std::set<std::string>> found_;
  std::map<int, std::vector<Place>> places_;
  Rewrite rewrite_;
};

// Makes the proposals, one file after the other: each may follow a revision that was proposed
// before.
class Proposer {
 public:
  Proposer(const ScriptSet& scripts, const LintSeverities& severities, absl::Time now,
           absl::BitGenRef random)
      : original_(scripts),
        scripts_(scripts),
        severities_(severities),
        now_(now),
        random_(random) {}

  void Propose(RevisionIndex index) {
    const MigrationFile& file = original_.file(index);
    const Rewrite rewrite = RewriteOf(index, file);
    if (rewrite.rules.empty()) return;
    ProposedFile changed;
    changed.set_path(file.revision().path);
    changed.set_revision(file.revision().id);
    changed.set_content(Apply(file.contents(), rewrite.edits));
    changed.set_diff(UnifiedDiff(changed.path(), file.contents(), changed.content(), false));
    for (const std::string& rule : rewrite.rules) changed.add_rules(rule);
    if (!IsMended(changed)) return;
    if (rewrite.up.empty()) {
      proposals_.push_back(std::move(changed));
      return;
    }
    ProposedFile following;
    if (!ComposeFollowing(index, file, rewrite, following) || !IsMended(following)) return;
    proposals_.push_back(std::move(changed));
    proposals_.push_back(std::move(following));
  }

  std::vector<ProposedFile> Take() { return std::move(proposals_); }

 private:
  Rewrite RewriteOf(RevisionIndex index, const MigrationFile& file) const {
    std::vector<absl::string_view> later;
    const RevisionGraph& graph = original_.graph();
    for (const RevisionIndex above :
         Descendants(graph, {index}, Follow::kDependenciesToo).ToVector()) {
      if (above == index) continue;
      for (const Statement& statement : original_.file(above).up().statements) {
        later.push_back(statement.text);
      }
    }
    const std::vector<LintReport> reports = LintFiles({&file}, severities_);
    Rewrite rewrite;
    RunOnDeepStack([&] { rewrite = Rewriter(file, reports.front().findings, later).Run(); });
    return rewrite;
  }

  // Composes the revision that follows; false if there is no one head that it could revise.
  bool ComposeFollowing(RevisionIndex index, const MigrationFile& file, const Rewrite& rewrite,
                        ProposedFile& following) {
    const RevisionGraph& graph = scripts_.graph();
    const auto now_at = graph.Find(original_.graph().revision(index).id);
    const std::vector<RevisionIndex> heads =
        Intersection(graph.heads(), Descendants(graph, {*now_at}, Follow::kDownRevisions));
    if (heads.size() != 1) return false;
    NewRevision wanted;
    const std::string& message = file.revision().message;
    wanted.message = absl::StrCat("finish ", message.empty() ? file.revision().id : message);
    wanted.heads = {graph.revision(heads.front()).id};
    auto composed = ComposeRevision(scripts_, std::move(wanted), now_, random_);
    if (!composed.ok()) return false;
    const Revision revision = composed->scripts.graph().revision(composed->index);
    scripts_ = std::move(composed->scripts);
    SectionText up;
    up.transactional = false;
    up.sql = absl::StrJoin(rewrite.up, "\n");
    SectionText down;
    down.transactional = false;
    down.sql = absl::StrJoin(rewrite.down, "\n");
    std::string text = MigrationText(revision, up, down);
    if (rewrite.down.empty()) {
      const size_t marker = text.find("\n-- migrate:up");
      text.insert(
          marker,
          "-- lint:allow empty-down because a constraint that is valid does no harm below\n");
    }
    following.set_path(revision.path);
    following.set_revision(revision.id);
    following.set_is_new(true);
    following.set_content(text);
    following.set_diff(UnifiedDiff(revision.path, "", text, true));
    for (const std::string& rule : rewrite.rules) following.add_rules(rule);
    return true;
  }

  // The file can be read; a new one has no error in it. In one that was there others may be left.
  bool IsMended(const ProposedFile& proposal) const {
    const MigrationFile::ParseResult parsed =
        MigrationFile::Parse(proposal.path(), proposal.content());
    if (parsed.file == nullptr) return false;
    const std::vector<Finding> findings = LintFile(*parsed.file, severities_);
    return !proposal.is_new() ||
           std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
             return finding.severity() == migration::v1::SEVERITY_ERROR;
           });
  }

  const ScriptSet& original_;
  // With the revisions that are proposed.
  ScriptSet scripts_;
  const LintSeverities& severities_;
  const absl::Time now_;
  absl::BitGenRef random_;
  std::vector<ProposedFile> proposals_;
};

}  // namespace

std::vector<ProposedFile> ProposeFixes(const ScriptSet& scripts,
                                       const std::vector<RevisionIndex>& revisions,
                                       const LintSeverities& severities, absl::Time now,
                                       absl::BitGenRef random) {
  Proposer proposer(scripts, severities, now, random);
  for (const RevisionIndex index : revisions) proposer.Propose(index);
  return proposer.Take();
}

}  // namespace migd
