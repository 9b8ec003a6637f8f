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

// Where the word INDEX of a statement ends: behind it goes CONCURRENTLY.
size_t BehindIndexWord(absl::string_view sql) {
  SqlLexer lexer(sql);
  Token token = lexer.NextOfStatement();
  while (token.kind != Token::Kind::kEnd && !lexer.IsWord(token, "index")) {
    token = lexer.NextOfStatement();
  }
  return token.end;
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
  Rewriter(const MigrationFile& file, const std::vector<Finding>& findings,
           const std::vector<absl::string_view>& later)
      : file_(file), later_(later) {
    for (const Finding& finding : findings) {
      const bool counts = !finding.is_waived() &&
                          finding.direction() == migration::v1::DIRECTION_UPGRADE &&
                          finding.statement_index() > 0;
      if (counts) found_[finding.statement_index()].insert(finding.rule());
    }
  }

  Rewrite Run() {
    if (!RewriteWholeSection()) {
      for (const auto& [index, rules] : found_) RewriteStatement(index, rules);
    }
    return std::move(rewrite_);
  }

 private:
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
        "index-not-concurrent", "drop-index-not-concurrent", "concurrent-in-transaction"};
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
    const ParseTree tree = ParseTree::Read(statement.text);
    if (tree.root() == nullptr) return;
    const StatementView view(statement, *tree.root());
    if (view.root.node_case == PG_QUERY__NODE__NODE_INDEX_STMT) {
      return RewriteIndex(index, *view.root.index_stmt, rules);
    }
    if (rules.count("validate-in-same-transaction") > 0) return MoveValidation(index, view);
    for (size_t i = 0; i < view.commands.size(); ++i) {
      const size_t end =
          i + 1 < view.commands.size() ? view.commands[i + 1].offset : statement.text.size();
      RewriteCommand(index, view.commands[i], end, rules);
    }
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
    const std::string sql =
        IsConcurrent(statement.text)
            ? std::string(statement.text)
            : Apply(statement.text, {{BehindIndexWord(statement.text),
                                      BehindIndexWord(statement.text), " CONCURRENTLY"}});
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
    const std::vector<Finding> findings = LintFile(file, severities_);
    Rewrite rewrite;
    RunOnDeepStack([&] { rewrite = Rewriter(file, findings, later).Run(); });
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
