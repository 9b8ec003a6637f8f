#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "service/base/sha256.h"
#include "service/base/utf8.h"
#include "service/script/migration_file.h"
#include "service/script/sql_lexer.h"
#include "service/script/sql_splitter.h"
#include "tests/fuzz/properties.h"

namespace migd::fuzz {
namespace {

constexpr absl::string_view kPath = "1a2b_fuzz.sql";
constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

MigrationFile::ParseResult Parse(absl::string_view contents) {
  return MigrationFile::Parse(std::string(kPath), std::string(contents));
}

std::vector<Statement> StatementsOf(const MigrationFile& file) {
  std::vector<Statement> statements = file.up().statements;
  statements.insert(statements.end(), file.down().statements.begin(), file.down().statements.end());
  return statements;
}

// What can be compared between two readings; not where things stand in bytes.
std::string Describe(const MigrationFile& file) {
  std::string text = file.checksum();
  for (const Statement& statement : StatementsOf(file)) {
    absl::StrAppend(&text, " ", statement.line, ":", statement.column);
  }
  return text;
}

// The bytes that are hashed, as migration_file.h documents them.
std::string ChecksumInput(const Section& up, const Section& down) {
  std::string bytes;
  const auto add = [&bytes](absl::string_view kind, absl::string_view text) {
    const std::string lines = absl::StrReplaceAll(text, {{"\r\n", "\n"}});
    absl::StrAppend(&bytes, kind, " ", lines.size(), "\n", lines, "\n");
  };
  for (const Section* section : {&up, &down}) {
    if (!section->present) continue;
    absl::StrAppend(&bytes, section == &up ? "up" : "down",
                    " transaction:", section->transactional ? "true" : "false", "\n");
    for (const Statement& statement : section->statements) {
      add("statement", statement.text);
      if (statement.copy_data.has_value()) add("data", *statement.copy_data);
    }
  }
  return bytes;
}

// Checks one input.
class Checker {
 public:
  explicit Checker(absl::string_view contents) : contents_(contents) {}

  Broken Check() {
    const MigrationFile::ParseResult result = Parse(contents_);
    Expect((result.file == nullptr) == !result.problems.empty(),
           "there is a file, or there are problems, but not both");
    CheckRepeats(result);
    for (const std::string& problem : result.problems) CheckProblem(problem);
    if (result.file != nullptr) CheckFile(*result.file);
    CheckLineEnds(result);
    return std::move(broken_);
  }

 private:
  void Expect(bool holds, absl::string_view property) {
    if (!holds) broken_.emplace_back(property);
  }

  void CheckRepeats(const MigrationFile::ParseResult& first) {
    const MigrationFile::ParseResult second = Parse(contents_);
    Expect(first.problems == second.problems, "the same bytes have the same problems");
    if (first.file == nullptr || second.file == nullptr) return;
    Expect(Describe(*first.file) == Describe(*second.file), "the same bytes are the same file");
  }

  // "path:line: what is wrong", in one line, for a line that the file has.
  void CheckProblem(const std::string& problem) {
    Expect(!FindInvalidUtf8(problem).has_value(), "a problem is valid UTF-8");
    Expect(!absl::StrContains(problem, '\n'), "a problem is one line");
    absl::string_view rest = problem;
    Expect(absl::ConsumePrefix(&rest, absl::StrCat(kPath, ":")), "a problem begins with the path");
    const size_t colon = std::min(rest.find(':'), rest.size());
    int line = 0;
    Expect(absl::SimpleAtoi(rest.substr(0, colon), &line), "a problem names a line");
    Expect(line >= 1 && line <= 1 + std::count(contents_.begin(), contents_.end(), '\n'),
           "the line of a problem is one of the file's");
    Expect(rest.size() > colon + 2, "a problem says what is wrong");
  }

  void CheckFile(const MigrationFile& file) {
    Expect(file.contents() == contents_, "a file keeps its contents as they are");
    Expect(file.up().present, "a file has an up section");
    CheckHeader(file.revision());
    CheckStatements(file);
    CheckSection(file.up());
    CheckSection(file.down());
    CheckChecksum(file);
  }

  void CheckHeader(const Revision& revision) {
    Expect(revision.path == kPath, "a file keeps its path");
    Expect(revision.id == "1a2b" || revision.id == "1a2b_fuzz", "the id is that of the file name");
    for (const auto* names :
         {&revision.down_revisions, &revision.branch_labels, &revision.depends_on}) {
      for (const std::string& name : *names) {
        Expect(!name.empty() && name.find_first_of(", \t\f\v\n\r") == std::string::npos,
               "the entries of a list are words");
      }
    }
  }

  void CheckSection(const Section& section) {
    if (!section.present) {
      Expect(section.statements.empty(), "statements stand in a section that is there");
      return;
    }
    for (const Statement& statement : section.statements) {
      Expect(statement.line >= section.line, "statements stand below the marker");
      Expect(!section.transactional || !IsTransactionControl(statement.text),
             "no statement of a transactional section begins or ends a transaction");
    }
  }

  // Statements stand in the file in their order, apart from each other, and whatever is not part
  // of them is nothing to run.
  void CheckStatements(const MigrationFile& file) {
    size_t passed = absl::StartsWith(contents_, kByteOrderMark) ? kByteOrderMark.size() : 0;
    for (const Statement& statement : StatementsOf(file)) {
      const bool lies_here = statement.text.data() == file.contents().data() + statement.offset;
      Expect(lies_here, "the text of a statement lies at its offset in the contents");
      Expect(statement.offset >= passed, "statements don't overlap");
      if (!lies_here || statement.offset < passed) return;
      CheckNothingToRun(passed, statement.offset);
      passed = statement.offset + statement.text.size();
      CheckPosition(statement);
      CheckText(statement);
      if (statement.copy_data.has_value())
        passed = CheckCopyData(file, *statement.copy_data, passed);
    }
    CheckNothingToRun(passed, contents_.size());
  }

  // Only comments, lone semicolons and \restrict lines stand in [begin, end).
  void CheckNothingToRun(size_t begin, size_t end) {
    SqlLexer lexer(contents_.substr(0, end), begin);
    for (Token token = lexer.NextOfStatement(); token.kind != Token::Kind::kEnd;
         token = lexer.NextOfStatement()) {
      if (!lexer.IsSymbol(token, ';')) {
        broken_.push_back(absl::StrCat("nothing to run is lost, such as that at ", token.begin));
        return;
      }
    }
  }

  void CheckPosition(const Statement& statement) {
    absl::string_view before = contents_.substr(0, statement.offset);
    absl::ConsumePrefix(&before, kByteOrderMark);
    const auto newlines = std::count(before.begin(), before.end(), '\n');
    const size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
    Expect(statement.line == 1 + newlines, "the line of a statement is that of its offset");
    Expect(static_cast<size_t>(statement.column) == 1 + CountCharacters(before.substr(line_begin)),
           "the column of a statement is that of its offset, in characters");
  }

  void CheckText(const Statement& statement) {
    const absl::string_view text = statement.text;
    Expect(!text.empty(), "a statement has a text");
    Expect(text == absl::StripAsciiWhitespace(text), "no white space is around a statement");
    GuardedObjects(text);
    IsConcurrent(text);
    if (statement.copy_data.has_value()) return;
    const SplitResult again = SplitSql(text, 0, 1);
    Expect(!again.error.has_value(), "a statement can be read on its own");
    Expect(again.statements.size() == 1 && again.statements[0].text == text,
           "a statement on its own is one statement, the same");
  }

  // Returns where the line that ends the data ends.
  size_t CheckCopyData(const MigrationFile& file, absl::string_view data, size_t statement_end) {
    const size_t begin = static_cast<size_t>(data.data() - file.contents().data());
    if (begin < statement_end || begin + data.size() > contents_.size()) {
      broken_.emplace_back("COPY data lies behind its statement in the contents");
      return contents_.size();
    }
    CheckNothingToRun(statement_end, begin);
    Expect(begin > 0 && contents_[begin - 1] == '\n', "COPY data begins on a line of its own");
    Expect(data.empty() || data.back() == '\n', "COPY data is whole lines");
    const size_t end = begin + data.size();
    Expect(absl::StartsWith(contents_.substr(end), "\\."), "a line \\. ends COPY data");
    return std::min(contents_.find('\n', end), contents_.size());
  }

  void CheckChecksum(const MigrationFile& file) {
    Sha256 hash;
    hash.Update(ChecksumInput(file.up(), file.down()));
    Expect(file.checksum() == hash.FinishHex(), "the checksum is the documented one");
    const auto commented = Parse(absl::StrCat(contents_, "\n-- a comment\n/* another */\n"));
    Expect(commented.file != nullptr && Describe(*commented.file) == Describe(file),
           "comments behind all statements change nothing");
  }

  // A file whose lines end with CR LF is the same. Of one that has CRs of its own, with or without
  // an LF, this is not said: they may be part of a value.
  void CheckLineEnds(const MigrationFile::ParseResult& result) {
    if (absl::StrContains(contents_, '\r')) return;
    const auto with_crlf = Parse(absl::StrReplaceAll(contents_, {{"\n", "\r\n"}}));
    Expect(with_crlf.problems == result.problems, "line ends make no problems, nor hide any");
    if (with_crlf.file == nullptr || result.file == nullptr) return;
    Expect(Describe(*with_crlf.file) == Describe(*result.file), "line ends change nothing");
  }

  const absl::string_view contents_;
  Broken broken_;
};

}  // namespace

Broken CheckMigrationFile(absl::string_view contents) { return Checker(contents).Check(); }

}  // namespace migd::fuzz
