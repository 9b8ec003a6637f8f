#include "service/lint/lint.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/lint/rule.h"
#include "service/lint/waivers.h"
#include "service/script/sql_lexer.h"
#include "service/sql/parse_tree.h"

namespace migd {
namespace {

using migration::v1::Finding;
using migration::v1::LintRule;
using migration::v1::Severity;

Severity SeverityOf(const Rule& rule, const LintSeverities& severities) {
  const auto configured = severities.find(rule.name);
  return configured == severities.end() ? rule.severity : configured->second;
}

const Rule& RuleNamed(absl::string_view name) {
  return *std::find_if(AllRules().begin(), AllRules().end(),
                       [name](const Rule& rule) { return rule.name == name; });
}

LintHarm HarmOf(const Rule& rule) {
  switch (rule.harm) {
    case Harm::kGrowsWithTable:
      return LintHarm::kGrowsWithTable;
    case Harm::kNeedsRows:
      return LintHarm::kNeedsRows;
    case Harm::kAlways:
      break;
  }
  return LintHarm::kAlways;
}

// Statements that move data: large ones above all, and nothing that a rule looks at.
bool MovesData(absl::string_view sql) {
  SqlLexer lexer(sql);
  const Token first = lexer.NextOfStatement();
  return lexer.IsWord(first, "insert") || lexer.IsWord(first, "copy") ||
         lexer.IsWord(first, "select");
}

// The place of a byte of a statement in its file.
struct Place {
  int line;
  int column;
};

Place PlaceOf(const Statement& statement, size_t offset) {
  Place place = {statement.line, statement.column};
  for (const char c : statement.text.substr(0, offset)) {
    if (c == '\n') {
      ++place.line;
      place.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
      // Continuation bytes of UTF-8 belong to the character before.
      ++place.column;
    }
  }
  return place;
}

// How many statements are read before the first of them is looked at.
constexpr size_t kTreesAhead = 256;

// Looks at one file. Runs on a deep stack.
class FileLinter {
 public:
  FileLinter(const MigrationFile& file, const LintSeverities& severities)
      : file_(file), severities_(severities), waivers_(ReadWaivers(file)) {}

  LintReport Run(LintExtent extent) {
    SectionState up(file_.up().transactional);
    LintSection(file_.up(), false, up);
    // Whether a waiver is used may depend on the down section, too.
    if (extent == LintExtent::kWholeFile || !waivers_.empty()) {
      SectionState down = SectionState::BelowUp(up, file_.down().transactional);
      LintSection(file_.down(), true, down);
      LintDownPresence();
    }
    Waive();
    if (extent == LintExtent::kUpSection) LeaveOutDown();
    std::stable_sort(report_.findings.begin(), report_.findings.end(),
                     [](const LintFinding& a, const LintFinding& b) {
                       return std::make_tuple(a.finding.line(), a.finding.column()) <
                              std::make_tuple(b.finding.line(), b.finding.column());
                     });
    return std::move(report_);
  }

 private:
  void LintSection(const Section& section, bool is_down, SectionState& state) {
    is_down_ = is_down;
    const Statement* begun = nullptr;
    int begun_index = 0;
    statement_index_ = 0;
    std::vector<absl::optional<ParseTree>> trees;
    for (size_t i = 0; i < section.statements.size(); ++i) {
      const Statement& statement = section.statements[i];
      ++statement_index_;
      if (i % kTreesAhead == 0) {
        trees = ReadTrees(absl::MakeConstSpan(section.statements).subspan(i, kTreesAhead),
                          [](const Statement& next) { return !MovesData(next.text); });
      }
      const absl::optional<ParseTree>& tree = trees[i % kTreesAhead];
      if (!tree) continue;
      if (tree->root() == nullptr) {
        ++report_.unknown_statement_count;
        continue;
      }
      const StatementView view(statement, *tree->root());
      const bool had_begun = state.has_begun();
      LintStatement(view, state);
      state.Advance(view);
      if (!had_begun && state.has_begun()) {
        begun = &statement;
        begun_index = statement_index_;
      }
    }
    if (!state.has_begun()) return;
    statement_index_ = begun_index;
    Add(RuleNamed("unfinished-transaction"), {begun->line, begun->column},
        {0, "the transaction that begins here is not committed"});
  }

  void LintStatement(const StatementView& view, const SectionState& state) {
    for (const Rule& rule : AllRules()) {
      if (rule.check == nullptr || !Applies(rule)) continue;
      Hits hits;
      rule.check(view, state, hits);
      for (const Hit& hit : hits) Add(rule, PlaceOf(view.statement, hit.offset), hit);
    }
  }

  bool Applies(const Rule& rule) const {
    if (is_down_ && rule.in_down == InDown::kIgnored) return false;
    return SeverityOf(rule, severities_) != migration::v1::SEVERITY_OFF;
  }

  void Add(const Rule& rule, const Place& place, const Hit& hit) {
    if (!Applies(rule)) return;
    LintFinding& found = report_.findings.emplace_back();
    Finding& finding = found.finding;
    finding.set_rule(rule.name);
    finding.set_severity(SeverityOf(rule, severities_));
    if (is_down_ && rule.in_down == InDown::kWarning) {
      finding.set_severity(std::min(finding.severity(), migration::v1::SEVERITY_WARNING));
    }
    finding.set_revision(file_.revision().id);
    finding.set_path(file_.revision().path);
    finding.set_line(place.line);
    finding.set_column(place.column);
    finding.set_direction(is_down_ ? migration::v1::DIRECTION_DOWNGRADE
                                   : migration::v1::DIRECTION_UPGRADE);
    finding.set_statement_index(statement_index_);
    finding.set_message(hit.message);
    finding.set_suggestion(hit.suggestion.empty() ? rule.instead : hit.suggestion);
    found.harm = HarmOf(rule);
    found.offset = hit.offset;
    if (!hit.relation.name.empty()) found.relation = hit.relation.Quoted();
    found.retyped_column = hit.column;
  }

  // Findings about the down section rather than a statement: an upgrade does not run into them.
  void LintDownPresence() {
    is_down_ = true;
    statement_index_ = 0;
    const Section& down = file_.down();
    if (!down.present) {
      Add(RuleNamed("missing-down"), {file_.up().line, 1},
          {0, absl::StrCat("revision ", file_.revision().id, " has no `-- migrate:down` section")});
    } else if (down.statements.empty() && !file_.up().statements.empty()) {
      Add(RuleNamed("empty-down"), {down.line, 1},
          {0, absl::StrCat("the down section of revision ", file_.revision().id,
                           " undoes nothing of what its up section does")});
    }
  }

  static bool Covers(const Waiver& waiver, const Finding& finding) {
    const bool is_in_section = (waiver.scope == Waiver::Scope::kDown) ==
                               (finding.direction() == migration::v1::DIRECTION_DOWNGRADE);
    // What is about a section as a whole is about one without statements.
    const int statement = std::max(finding.statement_index(), 1);
    const bool in_scope = waiver.scope == Waiver::Scope::kFile ||
                          (is_in_section && waiver.statement_index == statement);
    return in_scope && std::find(waiver.rules.begin(), waiver.rules.end(), finding.rule()) !=
                           waiver.rules.end();
  }

  void Waive() {
    for (const Waiver& waiver : waivers_) {
      is_down_ = waiver.scope == Waiver::Scope::kDown;
      statement_index_ = 0;
      const std::string problem = ProblemOf(waiver);
      if (!problem.empty()) {
        Add(RuleNamed("invalid-waiver"), {waiver.line, waiver.column}, {0, problem});
        continue;
      }
      std::set<std::string> used;
      for (LintFinding& found : report_.findings) {
        if (!Covers(waiver, found.finding)) continue;
        found.finding.set_is_waived(true);
        found.finding.set_waiver_reason(waiver.reason);
        used.insert(found.finding.rule());
      }
      ReportUnused(waiver, used);
    }
  }

  void LeaveOutDown() {
    const auto is_down = [](const LintFinding& found) {
      return found.finding.direction() == migration::v1::DIRECTION_DOWNGRADE;
    };
    std::vector<LintFinding>& all = report_.findings;
    all.erase(std::remove_if(all.begin(), all.end(), is_down), all.end());
  }

  static std::string ProblemOf(const Waiver& waiver) {
    if (!waiver.problem.empty()) return waiver.problem;
    for (const std::string& rule : waiver.rules) {
      if (!IsLintRule(rule)) return absl::StrCat("there is no rule ", rule);
    }
    return "";
  }

  void ReportUnused(const Waiver& waiver, const std::set<std::string>& used) {
    for (const std::string& rule : waiver.rules) {
      const bool is_off = SeverityOf(RuleNamed(rule), severities_) == migration::v1::SEVERITY_OFF;
      if (is_off || used.count(rule) > 0) continue;
      Add(RuleNamed("unused-waiver"), {waiver.line, waiver.column},
          {0, absl::StrCat(rule, " finds nothing here that the waiver could allow")});
    }
  }

  const MigrationFile& file_;
  const LintSeverities& severities_;
  const std::vector<Waiver> waivers_;
  LintReport report_;
  // Where the linter is.
  bool is_down_ = false;
  int statement_index_ = 0;
};

}  // namespace

Severity SeverityOfRule(const std::string& name, const LintSeverities& severities) {
  return SeverityOf(RuleNamed(name), severities);
}

bool IsLintRule(const std::string& name) {
  return std::any_of(AllRules().begin(), AllRules().end(),
                     [&name](const Rule& rule) { return rule.name == name; });
}

std::vector<LintRule> LintRules(const LintSeverities& severities) {
  std::vector<LintRule> described;
  for (const Rule& rule : AllRules()) {
    LintRule& out = described.emplace_back();
    out.set_rule(rule.name);
    out.set_default_severity(rule.severity);
    out.set_severity(SeverityOf(rule, severities));
    out.set_description(absl::StrCat(rule.description, " Instead: ", rule.instead, "."));
  }
  return described;
}

std::vector<LintReport> LintFiles(const std::vector<const MigrationFile*>& files,
                                  const LintSeverities& severities, LintExtent extent) {
  std::vector<LintReport> reports(files.size());
  if (files.empty()) return reports;
  RunOnDeepStacks(files.size(), [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      reports[i] = FileLinter(*files[i], severities).Run(extent);
    }
  });
  return reports;
}

std::vector<Finding> LintFile(const MigrationFile& file, const LintSeverities& severities) {
  std::vector<Finding> findings;
  std::vector<LintReport> reports = LintFiles({&file}, severities);
  for (LintFinding& found : reports.front().findings) {
    findings.push_back(std::move(found.finding));
  }
  return findings;
}

}  // namespace migd
