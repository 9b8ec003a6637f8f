#include "service/script/sql_splitter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "service/base/utf8.h"
#include "service/script/sql_lexer.h"

namespace migd {
namespace {

// What must be known of the tokens of an unfinished statement to find its end.
class StatementScanner {
 public:
  explicit StatementScanner(const SqlLexer& lexer) : lexer_(&lexer) {}

  bool started() const { return started_; }
  size_t begin() const { return begin_; }
  size_t end() const { return end_; }
  bool copies_from_stdin() const { return copies_from_stdin_; }

  // A semicolon that comes now ends the statement.
  bool complete() const { return parentheses_ == 0 && !in_body_; }

  // Where the parenthesis or the BEGIN stands that keeps the statement from being complete.
  size_t opened_at() const { return parentheses_ > 0 ? parenthesis_begin_ : block_begin_; }
  absl::string_view Remedy() const {
    return parentheses_ > 0 ? "this parenthesis is never closed; close it with )"
                            : "this BEGIN ATOMIC has no END; end its last statement with ; and the "
                              "body with END";
  }

  void Add(const Token& token) {
    if (!started_) begin_ = token.begin;
    started_ = true;
    end_ = token.end;
    if (token.kind == Token::Kind::kWord) {
      AddWord(token);
    } else if (token.kind == Token::Kind::kSymbol) {
      AddSymbol(token);
    }
    previous_ = token;
  }

 private:
  // How far the statement's first words go towards one that can have a BEGIN ATOMIC body or COPY
  // data.
  enum class Head { kStart, kCreate, kCreateOr, kCreateOrReplace, kRoutine, kCopy, kOther };

  void AddSymbol(const Token& token) {
    if (lexer_->IsSymbol(token, '(')) {
      if (parentheses_ == 0) parenthesis_begin_ = token.begin;
      ++parentheses_;
    } else if (lexer_->IsSymbol(token, ')') && parentheses_ > 0) {
      --parentheses_;
    }
  }

  void AddWord(const Token& token) {
    if (head_ == Head::kRoutine) {
      if (parentheses_ == 0) AddWordOfRoutine(token);
    } else if (head_ == Head::kCopy) {
      if (parentheses_ == 0) AddWordOfCopy(token);
    } else if (head_ != Head::kOther) {
      head_ = NextHead(token);
    }
  }

  void AddWordOfCopy(const Token& token) {
    if (lexer_->IsWord(token, "stdin") && lexer_->IsWord(previous_, "from")) {
      copies_from_stdin_ = true;
    }
  }

  Head NextHead(const Token& token) const {
    const auto is = [&](absl::string_view word) { return lexer_->IsWord(token, word); };
    const bool routine = is("function") || is("procedure");
    switch (head_) {
      case Head::kStart:
        return is("create") ? Head::kCreate : is("copy") ? Head::kCopy : Head::kOther;
      case Head::kCreate:
        return is("or") ? Head::kCreateOr : routine ? Head::kRoutine : Head::kOther;
      case Head::kCreateOr:
        return is("replace") ? Head::kCreateOrReplace : Head::kOther;
      case Head::kCreateOrReplace:
        return routine ? Head::kRoutine : Head::kOther;
      default:
        return head_;
    }
  }

  // A BEGIN ATOMIC body ends with an END that follows a semicolon, or ATOMIC if the body is empty:
  // in PostgreSQL's grammar no other END can stand there. psql counts BEGIN and CASE against END,
  // and is misled by names such as `AS end`.
  void AddWordOfRoutine(const Token& token) {
    if (in_body_) {
      const bool empty = previous_.begin == body_begin_;
      const bool ends = empty || lexer_->IsSymbol(previous_, ';');
      if (ends && lexer_->IsWord(token, "end")) in_body_ = false;
    } else if (lexer_->IsWord(token, "atomic") && lexer_->IsWord(previous_, "begin")) {
      in_body_ = true;
      body_begin_ = token.begin;
      block_begin_ = previous_.begin;
    }
  }

  const SqlLexer* lexer_;
  bool started_ = false;
  size_t begin_ = 0;
  size_t end_ = 0;
  Head head_ = Head::kStart;
  bool copies_from_stdin_ = false;
  size_t parentheses_ = 0;
  size_t parenthesis_begin_ = 0;  // of the outermost that is open
  bool in_body_ = false;
  size_t block_begin_ = 0;  // of BEGIN
  size_t body_begin_ = 0;   // of ATOMIC
  Token previous_;
};

// The name of a psql command, with its backslash: letters, or one other character.
absl::string_view PsqlCommandName(absl::string_view text) {
  constexpr size_t kLongest = 32;
  size_t end = 1;
  while (end < std::min(text.size(), kLongest) && absl::ascii_isalpha(text[end])) ++end;
  if (end == 1 && text.size() > 1 && absl::ascii_ispunct(text[1])) ++end;
  return text.substr(0, end);
}

// The problem with a psql command, given the text from its backslash on.
std::string PsqlCommandProblem(absl::string_view text) {
  const absl::string_view name = PsqlCommandName(text);
  if (name == "\\.") {
    return "\\. ends the data of COPY ... FROM stdin, but none precedes it; remove it";
  }
  if (name == "\\") return "a backslash outside quotes is not SQL; remove it";
  return absl::StrCat("psql command ", name, " is not SQL; remove it");
}

// The part of `text` from `from` on up to the end of its line, the newline included.
absl::string_view LineAt(absl::string_view text, size_t from) {
  const size_t newline = text.find('\n', from);
  const size_t end = newline == absl::string_view::npos ? text.size() : newline + 1;
  return text.substr(from, end - from);
}

// The line ends COPY data.
bool EndsCopyData(absl::string_view line) {
  return line == "\\." || line == "\\.\n" || line == "\\.\r\n";
}

class PartSplitter {
 public:
  PartSplitter(absl::string_view text, TextPosition& position,
               absl::FunctionRef<bool(absl::string_view)> ends_part)
      : lexer_(text, position.offset()),
        position_(position),
        ends_part_(ends_part),
        statement_(lexer_) {}

  SplitResult Split() {
    while (!done_) Step();
    return std::move(result_);
  }

 private:
  // Takes one token.
  void Step() {
    const Token token = lexer_.Next();
    switch (token.kind) {
      case Token::Kind::kEnd:
        FinishPart(token.begin);
        break;
      case Token::Kind::kLineComment:
        if (StartsLine(lexer_.text(), token.begin) && ends_part_(lexer_.TextOf(token))) {
          FinishPart(token.begin);
        }
        break;
      case Token::Kind::kBlockComment:
      case Token::Kind::kRestrict:
        break;
      case Token::Kind::kUnterminated:
        Fail(token.begin, UnterminatedProblem(lexer_.TextOf(token)));
        break;
      case Token::Kind::kBackslash:
        Fail(token.begin, PsqlCommandProblem(lexer_.text().substr(token.begin)));
        break;
      default:
        if (lexer_.IsSymbol(token, ';') && statement_.complete()) {
          FinishStatement();
        } else {
          statement_.Add(token);
        }
    }
  }

  // The last statement of a part needs no semicolon.
  void FinishPart(size_t end) {
    if (!statement_.complete()) {
      Fail(statement_.opened_at(), std::string(statement_.Remedy()));
    } else if (statement_.copies_from_stdin()) {
      Fail(
          statement_.begin(),
          "COPY ... FROM stdin has no data; end it with a semicolon, and its data with a line \\.");
    } else {
      EmitStatement();
      position_.AdvanceTo(end);
      done_ = true;
    }
  }

  void FinishStatement() {
    const bool copy = statement_.copies_from_stdin();
    EmitStatement();
    if (copy) ReadCopyData();
  }

  void EmitStatement() {
    if (statement_.started()) {
      position_.AdvanceTo(statement_.begin());
      Statement statement;
      statement.text =
          lexer_.text().substr(statement_.begin(), statement_.end() - statement_.begin());
      statement.offset = statement_.begin();
      statement.line = position_.line();
      statement.column = position_.column();
      result_.statements.push_back(std::move(statement));
    }
    statement_ = StatementScanner(lexer_);
  }

  // Reads the lines after the present one as the last statement's data.
  void ReadCopyData() {
    if (!RestOfLineIsEmpty()) return;
    const absl::string_view text = lexer_.text();
    const size_t begin = lexer_.position();
    size_t at = begin;
    while (at < text.size()) {
      const absl::string_view line = LineAt(text, at);
      if (EndsCopyData(line)) {
        result_.statements.back().copy_data = text.substr(begin, at - begin);
        lexer_.MoveTo(at + line.size());
        return;
      }
      at += line.size();
    }
    Fail(result_.statements.back().offset,
         "the data of this COPY ... FROM stdin never ends; end it with a line \\.");
  }

  // Moves to the next line; false if there is more than a comment before it.
  bool RestOfLineIsEmpty() {
    const size_t end = lexer_.position() + LineAt(lexer_.text(), lexer_.position()).size();
    SqlLexer lexer(lexer_.text().substr(0, end), lexer_.position());
    const Token token = lexer.NextOfStatement();
    if (token.kind != Token::Kind::kEnd) {
      Fail(token.begin,
           "nothing may follow COPY ... FROM stdin on its line; the data begins on the next one");
      return false;
    }
    lexer_.MoveTo(end);
    return true;
  }

  void Fail(size_t offset, std::string problem) {
    position_.AdvanceTo(offset);
    result_.error = SqlTextError{position_.line(), std::move(problem)};
    done_ = true;
  }

  SqlLexer lexer_;
  TextPosition& position_;
  absl::FunctionRef<bool(absl::string_view)> ends_part_;
  StatementScanner statement_;
  SplitResult result_;
  bool done_ = false;
};

}  // namespace

void TextPosition::AdvanceTo(size_t offset) {
  absl::string_view passed = text_.substr(offset_, offset - offset_);
  for (size_t newline = passed.find('\n'); newline != absl::string_view::npos;
       newline = passed.find('\n')) {
    ++line_;
    column_ = 1;
    passed.remove_prefix(newline + 1);
  }
  column_ += static_cast<int>(CountCharacters(passed));
  offset_ = offset;
}

absl::optional<SqlTextError> CheckEncoding(absl::string_view text, int line) {
  const auto line_of = [&](size_t offset) {
    return line + static_cast<int>(std::count(text.begin(), text.begin() + offset, '\n'));
  };
  const absl::optional<size_t> invalid = FindInvalidUtf8(text);
  const absl::string_view valid = text.substr(0, invalid.value_or(text.size()));
  const size_t nul = valid.find('\0');
  if (nul != absl::string_view::npos) {
    return SqlTextError{line_of(nul), "a NUL byte, which PostgreSQL cannot hold; remove it"};
  }
  if (invalid.has_value()) {
    return SqlTextError{line_of(*invalid), "not valid UTF-8; save the file as UTF-8"};
  }
  return absl::nullopt;
}

SplitResult SplitSqlPart(absl::string_view text, TextPosition& position,
                         absl::FunctionRef<bool(absl::string_view comment)> ends_part) {
  return PartSplitter(text, position, ends_part).Split();
}

SplitResult SplitSql(absl::string_view sql, size_t offset, int line) {
  if (absl::optional<SqlTextError> error = CheckEncoding(sql, line)) {
    return SplitResult{{}, std::move(error)};
  }
  TextPosition position(sql, 0, line);
  SplitResult result = SplitSqlPart(sql, position, [](absl::string_view) { return false; });
  for (Statement& statement : result.statements) statement.offset += offset;
  return result;
}

}  // namespace migd
