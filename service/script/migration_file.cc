#include "service/script/migration_file.h"

#include <iterator>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "service/script/sql_lexer.h"
#include "service/script/sql_splitter.h"

namespace migd {
namespace {

constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr absl::string_view kBlanks = " \t\f\v";

// The text of a comment with `--`, without the dashes and the blanks around it.
absl::string_view CommentText(absl::string_view comment) {
  return absl::StripAsciiWhitespace(absl::StripPrefix(comment, "--"));
}

// The comment is a marker, or was meant to be one: `migrate:` and a word. A marker that is
// misspelled must not pass for a comment, or its section would run as part of the one before it.
bool IsMarker(absl::string_view comment) {
  const std::string lower = absl::AsciiStrToLower(CommentText(comment));
  absl::string_view rest = lower;
  if (!absl::ConsumePrefix(&rest, "migrate")) return false;
  rest = absl::StripLeadingAsciiWhitespace(rest);
  if (!absl::ConsumePrefix(&rest, ":") || rest.empty()) return false;
  if (!absl::ascii_isspace(static_cast<unsigned char>(rest.front()))) return true;
  rest = absl::StripLeadingAsciiWhitespace(rest);
  const absl::string_view word = rest.substr(0, rest.find_first_of(kBlanks));
  return word == "up" || word == "down";
}

// A date as Alembic's templates write it, or as ISO 8601 does.
absl::optional<absl::Time> ParseCreateDate(absl::string_view value) {
  for (const char* format : {"%Y-%m-%d %H:%M:%E*S", "%Y-%m-%d %H:%M:%E*S%Ez",
                             "%Y-%m-%d%ET%H:%M:%E*S", "%Y-%m-%d%ET%H:%M:%E*S%Ez"}) {
    absl::Time time;
    std::string error;
    if (!absl::ParseTime(format, value, absl::UTCTimeZone(), &time, &error)) continue;
    // What a protobuf timestamp can hold; ParseTime knows `infinite-future` too.
    const bool representable =
        time >= absl::FromCivil(absl::CivilSecond(1), absl::UTCTimeZone()) &&
        time < absl::FromCivil(absl::CivilSecond(10000), absl::UTCTimeZone());
    if (representable) return time;
  }
  return absl::nullopt;
}

absl::string_view BaseName(absl::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

// `<id>_<slug>.sql` or `<id>.sql`.
bool NameFitsRevision(absl::string_view name, absl::string_view id) {
  return absl::ConsumePrefix(&name, id) && (absl::StartsWith(name, "_") || name == ".sql");
}

}  // namespace

// Reads a file's contents into a MigrationFile, and collects what is wrong with them.
class MigrationFile::Parser {
 public:
  explicit Parser(MigrationFile& file)
      : file_(file),
        text_(absl::StripPrefix(file.contents_, kByteOrderMark)),
        text_offset_(file.contents_.size() - text_.size()),
        position_(text_) {}

  std::vector<std::string> Parse() {
    if (const absl::optional<SqlTextError> error = CheckEncoding(text_, position_.line())) {
      AddProblem(error->line, error->problem);
      return std::move(problems_);
    }
    ParseHeader();
    ParseSections();
    return std::move(problems_);
  }

 private:
  struct Marker {
    bool up = true;
    bool transactional = true;
  };

  void AddProblem(int line, absl::string_view problem) {
    problems_.push_back(absl::StrCat(file_.revision_.path, ":", line, ": ", problem));
  }

  // --- The header ---

  // Reads the comments before the first marker, and stops there, at SQL, or at the end.
  void ParseHeader() {
    SqlLexer lexer(text_);
    while (true) {
      const Token token = lexer.Next();
      position_.AdvanceTo(token.begin);
      if (token.kind == Token::Kind::kLineComment) {
        const absl::string_view comment = lexer.TextOf(token);
        const bool own_line = StartsLine(text_, token.begin);
        if (own_line && IsMarker(comment)) break;
        if (own_line) ParseHeaderLine(position_.line(), CommentText(comment));
      } else if (token.kind != Token::Kind::kBlockComment && token.kind != Token::Kind::kRestrict) {
        break;
      }
    }
    CheckRevisionId();
  }

  void ParseHeaderLine(int line, absl::string_view text) {
    if (text.empty()) return;
    const bool is_first = std::exchange(at_first_header_line_, false);
    if (!ParseHeaderKey(line, text) && is_first) file_.revision_.message = std::string(text);
  }

  // False if the line does not begin with one of the keys: then it is part of the message.
  bool ParseHeaderKey(int line, absl::string_view text) {
    const size_t colon = text.find(':');
    if (colon == absl::string_view::npos) return false;
    const absl::string_view name = absl::StripAsciiWhitespace(text.substr(0, colon));
    const absl::string_view value = absl::StripAsciiWhitespace(text.substr(colon + 1));
    using Read = void (Parser::*)(int line, absl::string_view value);
    static constexpr std::pair<absl::string_view, Read> kKeys[] = {
        {"Revision ID", &Parser::ReadRevisionId},     {"Revises", &Parser::ReadRevises},
        {"Branch Labels", &Parser::ReadBranchLabels}, {"Depends On", &Parser::ReadDependsOn},
        {"Create Date", &Parser::ReadCreateDate},
    };
    for (const auto& [key, read] : kKeys) {
      if (!absl::EqualsIgnoreCase(name, key)) continue;
      if (IsFirstOf(key, line)) (this->*read)(line, value);
      return true;
    }
    return false;
  }

  bool IsFirstOf(absl::string_view key, int line) {
    const auto [first, inserted] = key_lines_.emplace(key, line);
    if (!inserted) {
      AddProblem(line, absl::StrCat("a second \"", key, ":\" (the first is at line ", first->second,
                                    "); keep one"));
    }
    return inserted;
  }

  void ReadRevisionId(int line, absl::string_view value) {
    if (value.find_first_of(", \t") != absl::string_view::npos) {
      AddProblem(line, absl::StrCat("\"", value,
                                    "\" is not one revision id; write it without spaces and "
                                    "commas"));
    }
    file_.revision_.id = std::string(value);
  }

  void ReadRevises(int line, absl::string_view value) {
    file_.revision_.down_revisions = ReadList(line, "Revises", value);
  }

  void ReadBranchLabels(int line, absl::string_view value) {
    file_.revision_.branch_labels = ReadList(line, "Branch Labels", value);
  }

  void ReadDependsOn(int line, absl::string_view value) {
    file_.revision_.depends_on = ReadList(line, "Depends On", value);
  }

  void ReadCreateDate(int line, absl::string_view value) {
    if (value.empty()) return;
    file_.revision_.create_time = ParseCreateDate(value);
    if (!file_.revision_.create_time.has_value()) {
      AddProblem(line,
                 absl::StrCat("\"", value, "\" is not a date; write it like 2025-01-16 00:00:00"));
    }
  }

  std::vector<std::string> ReadList(int line, absl::string_view key, absl::string_view value) {
    std::vector<std::string> list;
    if (value.empty()) return list;
    for (absl::string_view item : absl::StrSplit(value, ',')) {
      item = absl::StripAsciiWhitespace(item);
      if (item.empty()) {
        AddProblem(line, absl::StrCat("\"", key, ":\" has an empty entry; remove a comma"));
      } else if (item.find_first_of(kBlanks) != absl::string_view::npos) {
        AddProblem(line,
                   absl::StrCat("\"", item, "\" has a space in it; separate the entries of \"", key,
                                ":\" by commas"));
      } else {
        list.emplace_back(item);
      }
    }
    return list;
  }

  // The file's name repeats the id, which catches a file copied without a change of its header.
  void CheckRevisionId() {
    const std::string& id = file_.revision_.id;
    if (id.empty()) {
      const auto key = key_lines_.find("Revision ID");
      AddProblem(key == key_lines_.end() ? 1 : key->second,
                 "no revision id; write a line \"-- Revision ID: <id>\" above the first marker");
      return;
    }
    const absl::string_view name = BaseName(file_.revision_.path);
    if (!NameFitsRevision(name, id)) {
      AddProblem(key_lines_["Revision ID"],
                 absl::StrCat("the revision id is ", id, ", but the file is called ", name,
                              "; rename it to ", id, "_<slug>.sql or correct the id"));
    }
  }

  // --- The sections ---

  void ParseSections() {
    const SplitResult preamble = SplitSqlPart(text_, position_, IsMarker);
    if (!preamble.statements.empty()) {
      AddProblem(preamble.statements.front().line,
                 "SQL before the first marker; put \"-- migrate:up\" above it");
      up_may_be_misplaced_ = true;
    }
    if (!CanReadOn(preamble)) return;
    while (position_.offset() < text_.size()) {
      if (!ParseSection()) return;
    }
    if (file_.up_.present || up_may_be_misplaced_) return;
    AddProblem(1,
               "no \"-- migrate:up\" section; write the marker, with nothing below it if nothing "
               "is to run");
  }

  // Behind an unterminated quote and its like, nothing is what it seems.
  bool CanReadOn(const SplitResult& part) {
    if (!part.error.has_value()) return true;
    AddProblem(part.error->line, part.error->problem);
    return false;
  }

  // Reads the section whose marker is at `position_`; false if the file cannot be read on.
  bool ParseSection() {
    SqlLexer lexer(text_, position_.offset());
    const Token comment = lexer.Next();
    const int line = position_.line();
    const absl::optional<Marker> marker = ParseMarker(line, CommentText(lexer.TextOf(comment)));
    position_.AdvanceTo(comment.end);
    SplitResult part = SplitSqlPart(text_, position_, IsMarker);
    if (marker.has_value()) {
      Section section;
      section.present = true;
      section.transactional = marker->transactional;
      section.line = line;
      section.statements = std::move(part.statements);
      for (Statement& statement : section.statements) statement.offset += text_offset_;
      CheckTransactionControl(section);
      Store(*marker, std::move(section));
    }
    return CanReadOn(part);
  }

  absl::optional<Marker> ParseMarker(int line, absl::string_view text) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(text, absl::ByAnyChar(kBlanks), absl::SkipEmpty());
    Marker marker;
    marker.up = words[0] == "migrate:up";
    if (!marker.up && words[0] != "migrate:down") {
      AddProblem(line, absl::StrCat("unknown marker \"-- ", text,
                                    "\"; write \"-- migrate:up\" or \"-- migrate:down\""));
      up_may_be_misplaced_ = true;
      return absl::nullopt;
    }
    for (auto option = std::next(words.begin()); option != words.end(); ++option) {
      if (*option == "transaction:false" && words.size() == 2) {
        marker.transactional = false;
      } else if (*option != "transaction:true" || words.size() != 2) {
        AddProblem(line,
                   absl::StrCat("unknown option \"", *option, "\" of a marker; the only ones ",
                                "are transaction:true and transaction:false, one of them"));
      }
    }
    return marker;
  }

  void Store(const Marker& marker, Section section) {
    const absl::string_view name = marker.up ? "-- migrate:up" : "-- migrate:down";
    Section& place = marker.up ? file_.up_ : file_.down_;
    if (place.present) {
      AddProblem(section.line, absl::StrCat("a second \"", name, "\" (the first is at line ",
                                            place.line, "); join the two sections"));
      return;
    }
    if (marker.up && file_.down_.present) {
      AddProblem(section.line, "\"-- migrate:up\" stands below \"-- migrate:down\"; put it above");
    }
    place = std::move(section);
  }

  void CheckTransactionControl(const Section& section) {
    if (!section.transactional) return;
    const std::string& id = file_.revision_.id;
    const std::string revision = id.empty() ? "the revision" : absl::StrCat("revision ", id);
    for (const Statement& statement : section.statements) {
      if (!IsTransactionControl(statement.text)) continue;
      SqlLexer lexer(statement.text);
      const std::string word = absl::AsciiStrToUpper(lexer.TextOf(lexer.NextOfStatement()));
      const bool begins = word == "BEGIN" || word == "START";
      AddProblem(
          statement.line,
          absl::StrCat(
              word, " at line ", statement.line,
              begins ? " would begin a transaction within the one" : " would end the transaction",
              " that keeps ", revision, " whole; remove it or mark the section transaction:false"));
    }
  }

  MigrationFile& file_;
  const absl::string_view text_;
  const size_t text_offset_;
  TextPosition position_;
  bool at_first_header_line_ = true;
  std::map<absl::string_view, int> key_lines_;
  // A problem that was found already explains why there is no `-- migrate:up`.
  bool up_may_be_misplaced_ = false;
  std::vector<std::string> problems_;
};

MigrationFile::ParseResult MigrationFile::Parse(std::string path, std::string contents) {
  std::shared_ptr<MigrationFile> file(new MigrationFile);
  file->revision_.path = std::move(path);
  file->contents_ = std::move(contents);
  std::vector<std::string> problems = Parser(*file).Parse();
  if (!problems.empty()) return {nullptr, std::move(problems)};
  file->checksum_ = ComputeChecksum(file->up_, file->down_);
  return {std::move(file), {}};
}

}  // namespace migd
