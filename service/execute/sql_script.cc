#include "service/execute/sql_script.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "service/base/utf8.h"
#include "service/database/service_sql.h"
#include "service/execute/plan_report.h"
#include "service/script/sql_lexer.h"

namespace migd {
namespace {

constexpr size_t kPieceSize = 256 * 1024;

// What the log names as the operation of a step that a script has made.
constexpr char kOperation[] = "psql";

// Where a section outside a transaction remembers when it began; inside one, now() tells.
constexpr char kStartTimeSetting[] = "migd.start_time";

// What stands in a comment: one line, whatever the text.
std::string InComment(absl::string_view text) { return absl::Utf8SafeCEscape(text); }

std::string OrBase(const std::vector<std::string>& revisions) {
  return revisions.empty() ? "base" : absl::StrJoin(revisions, ", ");
}

std::string ArrayOf(const VersionRows& rows) {
  return absl::StrCat("ARRAY[",
                      absl::StrJoin(rows, ", ",
                                    [](std::string* out, const std::string& row) {
                                      out->append(QuoteLiteral(row));
                                    }),
                      "]::text[]");
}

// A block of PL/pgSQL, in dollar quotes that nothing in it can end.
std::string DoBlock(absl::string_view block) {
  std::string tag = "$migd$";
  for (int i = 1; absl::StrContains(block, tag); ++i) tag = absl::StrCat("$migd", i, "$");
  return absl::StrCat("DO ", tag, "\n", block, tag, ";\n");
}

// A message of RAISE, in which % stands for a value.
std::string RaiseMessage(absl::string_view text) {
  return QuoteLiteral(absl::StrReplaceAll(text, {{"%", "%%"}}));
}

// What makes a colon before it the beginning of one of psql's variables: `:name`, `:'name'`,
// `:"name"`, `:{?name}`. Digits do too, but only to who names a variable so.
bool BeginsVariable(char after_colon) {
  const auto byte = static_cast<unsigned char>(after_colon);
  return absl::ascii_isalpha(byte) || byte >= 0x80 ||
         absl::StrContains("_'\"{", absl::string_view(&after_colon, 1));
}

class Renderer {
 public:
  Renderer(const ScriptSet& scripts, const Plan& plan, const ScriptSettings& settings,
           ScriptSink sink)
      : scripts_(scripts), plan_(plan), settings_(settings), sink_(sink) {}

  void Render() {
    Header();
    if (!plan_.steps.empty()) {
      Opening();
      VersionRows rows = plan_.starting_rows;
      for (const Step& step : plan_.steps) {
        if (stopped_) return;
        ApplyWrites(step.writes, rows);
        RenderStep(step, rows);
      }
      Write("\n-- The database is at ", RowsOrBase(plan_.resulting_rows), ".\n");
    }
    Flush();
  }

 private:
  template <typename... Parts>
  void Write(const Parts&... parts) {
    absl::StrAppend(&text_, parts...);
    if (text_.size() >= kPieceSize) Flush();
  }

  // A statement and the data of a COPY may be many times as long as a piece.
  void Flush() {
    for (absl::string_view rest = text_; !rest.empty() && !stopped_;) {
      const size_t size = CutAt(rest, kPieceSize);
      stopped_ = !sink_(std::string(rest.substr(0, size)));
      rest.remove_prefix(size);
    }
    text_.clear();
  }

  // --- The beginning ---

  void Header() {
    Write("-- ", InComment(settings_.database), ": from ", RowsOrBase(plan_.starting_rows), " to ",
          RowsOrBase(plan_.resulting_rows), ", ", plan_.steps.size(),
          plan_.steps.size() == 1 ? " step" : " steps", ".\n");
    if (plan_.steps.empty()) {
      Write("-- There is nothing to do.\n");
    } else {
      Write("-- Apply it with: psql -X -v ON_ERROR_STOP=1 -f FILE\n");
    }
  }

  static std::string RowsOrBase(const VersionRows& rows) {
    return OrBase({rows.begin(), rows.end()});
  }

  // The mutex, the check of the rows, and what must be there before the first write.
  void Opening() {
    // Without it, psql would go on behind an error, and run what does not check where it is.
    Write("\n\\set ON_ERROR_STOP on\n");
    Write("\n", SetSql(kSessionSettings), ";\n", SetLockTimeoutSql(settings_.timeouts.lock_timeout),
          ";\n\n");
    const std::string table = QualifiedName(settings_.version_table);
    const std::string exists = absl::StrCat(
        RelationSql(settings_.version_table.schema, settings_.version_table.name), " IS NOT NULL");
    Write(
        "-- One migration at a time, and only from where this script begins.\n",
        DoBlock(absl::StrCat(
            "DECLARE\n"
            "  expected text[] := ",
            ArrayOf(plan_.starting_rows),
            ";\n"
            "  present text[] := '{}';\n"
            "BEGIN\n"
            "  IF NOT pg_try_advisory_lock(",
            kMutexClass, ", ", kMutexObject,
            ") THEN\n"
            "    RAISE EXCEPTION 'another migration of this database is running'\n"
            "      USING HINT = 'Apply the script again when it has ended.';\n"
            "  END IF;\n"
            "  IF ",
            exists,
            " THEN\n"
            "    SELECT coalesce(array_agg(version_num::text ORDER BY version_num COLLATE \"C\"), "
            "'{}')\n"
            "      INTO present FROM ",
            table,
            ";\n"
            "  ELSE\n"
            "    ",
            CreateVersionTableSql(settings_.version_table),
            "\n"
            "  END IF;\n"
            "  IF present <> expected THEN\n"
            "    PERFORM pg_advisory_unlock(",
            kMutexClass, ", ", kMutexObject,
            ");\n"
            "    RAISE EXCEPTION 'this script begins at %, but the database is at %',\n"
            "      coalesce(nullif(array_to_string(expected, ', '), ''), 'base'),\n"
            "      coalesce(nullif(array_to_string(present, ', '), ''), 'base')\n"
            "      USING HINT = 'Make the script again for this database.';\n"
            "  END IF;\n"
            "  IF to_regnamespace('migration_service') IS NULL THEN",
            kCreateServiceSchema,
            "  END IF;\n"
            "  IF NOT EXISTS (SELECT FROM pg_class WHERE relname = 'revision_log'\n"
            "      AND relnamespace = to_regnamespace('migration_service')) THEN",
            kCreateRevisionLog, "  END IF;\n", CheckJournal(), "END\n")));
  }

  // A script keeps no journal and begins each section at its beginning: what a call has left half
  // done is for a call to finish.
  std::string CheckJournal() const {
    std::vector<std::string> revisions;
    for (const Step& step : plan_.steps) {
      if (step.direction != Step::Direction::kStamp) revisions.push_back(step.revision);
    }
    if (revisions.empty()) return "";
    return absl::StrCat(
        "  IF EXISTS (SELECT FROM pg_class WHERE relname = 'statement_journal'\n"
        "      AND relnamespace = to_regnamespace('migration_service')) THEN\n"
        "    IF ",
        AnyHalfDoneSql(settings_.version_table, revisions),
        " THEN\n"
        "      RAISE EXCEPTION 'a revision of this script is half done'\n"
        "        USING HINT = 'Finish it with migctl; migration_service.statement_journal has "
        "what was run.';\n"
        "    END IF;\n"
        "  END IF;\n");
  }

  // --- A step ---

  void RenderStep(const Step& step, const VersionRows& resulting_rows) {
    const auto index = scripts_.graph().Find(step.revision);
    const MigrationFile* file = index ? &scripts_.file(*index) : nullptr;
    const Section* section = SectionOf(scripts_, step);
    const bool transactional = section == nullptr || section->transactional;
    Write("\n-- Running ", Title(step, file), "\n\n");
    if (transactional) Write("BEGIN;\n");
    if (section != nullptr) {
      Write(SetTimeoutsSql(settings_.timeouts), ";\n");
      if (!transactional) {
        Write(DoBlock(absl::StrCat("BEGIN\n  PERFORM set_config('", kStartTimeSetting,
                                   "', clock_timestamp()::text, false);\nEND\n")));
      }
      for (const Statement& statement : section->statements) {
        if (stopped_) return;
        RenderStatement(*section, statement);
      }
      Write("\n");
    }
    RenderVersion(step, file, section, resulting_rows);
    Write("COMMIT;\n");
  }

  // Alembic's words: "upgrade a -> b, message".
  static std::string Title(const Step& step, const MigrationFile* file) {
    if (file == nullptr || step.direction == Step::Direction::kStamp) {
      return absl::StrCat("stamp ", step.revision.empty() ? "base" : step.revision);
    }
    const Revision& revision = file->revision();
    const std::string below = OrBase(revision.down_revisions);
    const std::string move = step.direction == Step::Direction::kUpgrade
                                 ? absl::StrCat("upgrade ", below, " -> ", revision.id)
                                 : absl::StrCat("downgrade ", revision.id, " -> ", below);
    return absl::StrCat(move, revision.message.empty() ? "" : ", ", revision.message);
  }

  void RenderStatement(const Section& section, const Statement& statement) {
    Write("\n");
    for (const GuardedObject& object : GuardedObjects(statement.text)) CheckIndex(object);
    // It waits for all that is older than itself, in nobody's way.
    const bool unbounded_locks = !section.transactional && IsConcurrent(statement.text);
    if (unbounded_locks) Write(SetLockTimeoutSql(absl::ZeroDuration()), ";\n");
    Write(ForPsql(statement.text), ";\n");
    if (statement.copy_data) Write(*statement.copy_data, "\\.\n");
    if (unbounded_locks) Write(SetLockTimeoutSql(settings_.timeouts.lock_timeout), ";\n");
  }

  void CheckIndex(const GuardedObject& object) {
    if (object.kind != "index" || object.guard != GuardedObject::Guard::kIfNotExists) return;
    Write(DoBlock(absl::StrCat(
        "BEGIN\n"
        "  IF EXISTS (SELECT FROM (",
        *LookupSql(object),
        ") AS found (kind, valid) WHERE kind = 'i' AND NOT valid) THEN\n"
        "    RAISE EXCEPTION ",
        RaiseMessage(absl::StrCat("index ", object.DisplayName(), " exists, but is INVALID")),
        "\n      USING HINT = 'IF NOT EXISTS would take it for the index: drop it first.';\n"
        "  END IF;\n"
        "END\n")));
  }

  // The version rows and the log, in the transaction of the step or in one of their own.
  void RenderVersion(const Step& step, const MigrationFile* file, const Section* section,
                     const VersionRows& resulting_rows) {
    const bool transactional = section == nullptr || section->transactional;
    const std::string reset = ResetSettingsSql(settings_.timeouts.lock_timeout);
    if (transactional) {
      Write(reset, ";\n");
    } else {
      // The start time is among the settings.
      Write("BEGIN;\n", DoBlock(absl::StrCat("DECLARE\n  start_time text := current_setting('",
                                             kStartTimeSetting, "', true);\nBEGIN\n  ", reset,
                                             ";\n  PERFORM set_config('", kStartTimeSetting,
                                             "', start_time, false);\nEND\n")));
    }
    std::string block = absl::StrCat(
        "DECLARE\n"
        "  matched bigint;\n"
        "BEGIN\n"
        "  IF NOT (",
        HoldsMutexSql(),
        ") THEN\n"
        "    RAISE EXCEPTION 'the lock that lets one migration run at a time was lost';\n"
        "  END IF;\n");
    for (const VersionWrite& write : step.writes) {
      absl::StrAppend(&block, "  ", VersionWriteSql(settings_.version_table, write),
                      ";\n"
                      "  GET DIAGNOSTICS matched = ROW_COUNT;\n"
                      "  IF matched <> 1 THEN\n"
                      "    RAISE EXCEPTION '%; % found', ",
                      QuoteLiteral(VersionWriteProblem(settings_.version_table, write)),
                      ", matched;\n"
                      "  END IF;\n");
    }
    Write(DoBlock(absl::StrCat(block, "END\n")));
    const LogEntry entry = {
        step.revision, step.direction, section == nullptr ? "" : file->checksum(),
        kOperation,    absl::nullopt,  resulting_rows};
    Write(AppendLogSql(settings_.version_table, LiteralsOf(entry, StartTimeSql(transactional))),
          ";\n");
  }

  // A migration may have reset the setting.
  static std::string StartTimeSql(bool transactional) {
    if (transactional) return "now()";
    return absl::StrCat("coalesce(nullif(current_setting('", kStartTimeSetting,
                        "', true), '')::timestamptz, now())");
  }

  const ScriptSet& scripts_;
  const Plan& plan_;
  const ScriptSettings& settings_;
  const ScriptSink sink_;
  std::string text_;
  bool stopped_ = false;
};

}  // namespace

std::string ForPsql(absl::string_view sql) {
  std::string out;
  size_t copied = 0;
  SqlLexer lexer(sql);
  for (Token token = lexer.Next(); token.kind != Token::Kind::kEnd; token = lexer.Next()) {
    if (!lexer.IsSymbol(token, ':') || token.end == sql.size()) continue;
    // The second colon of `::` begins nothing.
    if (sql[token.end] == ':') lexer.MoveTo(token.end + 1);
    if (!BeginsVariable(sql[token.end])) continue;
    absl::StrAppend(&out, sql.substr(copied, token.begin - copied), "\\");
    copied = token.begin;
  }
  absl::StrAppend(&out, sql.substr(copied));
  return out;
}

void RenderScript(const ScriptSet& scripts, const Plan& plan, const ScriptSettings& settings,
                  ScriptSink sink) {
  Renderer(scripts, plan, settings, sink).Render();
}

}  // namespace migd
