#include "service/script/statement.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "service/base/utf8.h"
#include "service/script/sql_lexer.h"

namespace migd {
namespace {

using Guard = GuardedObject::Guard;
using Words = std::initializer_list<absl::string_view>;

// PostgreSQL's NAMEDATALEN - 1: longer names are cut there, at the border of a character.
constexpr size_t kMaxNameBytes = 63;

std::string Truncated(std::string name) {
  if (name.size() <= kMaxNameBytes) return name;
  size_t end = kMaxNameBytes;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;
  name.resize(end);
  return name;
}

// The text between the double quotes of a name, with the doubled ones single.
std::string Unquoted(absl::string_view quoted) {
  const size_t open = quoted.find('"');
  const absl::string_view inside = quoted.substr(open + 1, quoted.size() - open - 2);
  return absl::StrReplaceAll(inside, {{"\"\"", "\""}});
}

// The characters of a U&"" name; nullopt if an escape in it is malformed.
class UnicodeEscapes {
 public:
  static absl::optional<std::string> Decode(absl::string_view text, char escape) {
    UnicodeEscapes decoder;
    while (!text.empty()) {
      if (!decoder.Step(text, escape)) return absl::nullopt;
    }
    if (decoder.high_surrogate_ != 0) return absl::nullopt;
    return std::move(decoder.decoded_);
  }

 private:
  // Takes a byte or an escape off the front of `text`: XX being the escape character, XX,
  // X0041 or X+000041.
  bool Step(absl::string_view& text, char escape) {
    if (text[0] != escape) return TakePlain(text, 1);
    if (text.size() > 1 && text[1] == escape) {
      text.remove_prefix(1);
      return TakePlain(text, 1);
    }
    const bool wide = text.size() > 1 && text[1] == '+';
    const size_t digits_at = wide ? 2 : 1;
    const size_t digits = wide ? 6 : 4;
    if (text.size() < digits_at + digits) return false;
    uint32_t code_point;
    const absl::string_view hex = text.substr(digits_at, digits);
    const bool is_hex = std::all_of(hex.begin(), hex.end(), [](char c) {
      return absl::ascii_isxdigit(static_cast<unsigned char>(c));
    });
    if (!is_hex || !absl::SimpleHexAtoi(hex, &code_point)) return false;
    text.remove_prefix(digits_at + digits);
    return TakeCodePoint(code_point);
  }

  bool TakePlain(absl::string_view& text, size_t length) {
    if (high_surrogate_ != 0) return false;
    decoded_.append(text.data(), length);
    text.remove_prefix(length);
    return true;
  }

  bool TakeCodePoint(uint32_t code_point) {
    const bool low_surrogate = code_point >= 0xDC00 && code_point <= 0xDFFF;
    if (high_surrogate_ != 0) {
      if (!low_surrogate) return false;
      const uint32_t high = std::exchange(high_surrogate_, 0);
      return AppendCodePoint(0x10000 + ((high - 0xD800) << 10) + (code_point - 0xDC00), decoded_);
    }
    if (code_point >= 0xD800 && code_point <= 0xDBFF) {
      high_surrogate_ = code_point;
      return true;
    }
    return AppendCodePoint(code_point, decoded_);
  }

  uint32_t high_surrogate_ = 0;
  std::string decoded_;
};

struct QualifiedName {
  std::string schema;
  std::string name;
};

// Reads a statement by what is expected next. Accept... takes what it names if that comes, and
// nothing otherwise; only names and kinds of several tokens may be taken in part.
class Reader {
 public:
  explicit Reader(absl::string_view sql) : lexer_(sql), next_(lexer_.NextOfStatement()) {}

  bool AtEnd() const { return next_.kind == Token::Kind::kEnd || lexer_.IsSymbol(next_, ';'); }

  bool Accept(absl::string_view word) {
    if (!lexer_.IsWord(next_, word)) return false;
    Skip();
    return true;
  }

  bool AcceptAll(Words words) {
    const Reader start = *this;
    for (const absl::string_view word : words) {
      if (Accept(word)) continue;
      *this = start;
      return false;
    }
    return true;
  }

  bool AcceptAnyOf(Words words) {
    return std::any_of(words.begin(), words.end(),
                       [this](absl::string_view word) { return Accept(word); });
  }

  bool AcceptSymbol(char symbol) {
    if (!lexer_.IsSymbol(next_, symbol)) return false;
    Skip();
    return true;
  }

  // A boolean option's value that means false.
  bool AcceptFalse() {
    const absl::string_view text = lexer_.TextOf(next_);
    const bool is_false = text == "0" || text == "'0'" || absl::EqualsIgnoreCase(text, "'off'") ||
                          absl::EqualsIgnoreCase(text, "'false'");
    if (is_false) Skip();
    return is_false || AcceptAnyOf({"off", "false"});
  }

  // The next word, folded; empty if none comes.
  std::string AcceptWord() {
    if (next_.kind != Token::Kind::kWord) return "";
    std::string word = absl::AsciiStrToLower(lexer_.TextOf(next_));
    Skip();
    return word;
  }

  // A name as PostgreSQL folds it.
  absl::optional<std::string> AcceptName() {
    const absl::string_view text = lexer_.TextOf(next_);
    switch (next_.kind) {
      case Token::Kind::kWord:
        return Truncated(AcceptWord());
      case Token::Kind::kQuotedName:
        Skip();
        return Truncated(Unquoted(text));
      case Token::Kind::kUnicodeName:
        Skip();
        return AcceptUnicodeEscapes(Unquoted(text));
      default:
        return absl::nullopt;
    }
  }

  // [[catalog.]schema.]name
  absl::optional<QualifiedName> AcceptQualifiedName() {
    QualifiedName qualified;
    do {
      const absl::optional<std::string> part = AcceptName();
      if (!part.has_value()) return absl::nullopt;
      qualified.schema = std::exchange(qualified.name, *part);
    } while (AcceptSymbol('.'));
    return qualified;
  }

  // Takes one token, whatever it is.
  void Skip() { next_ = lexer_.NextOfStatement(); }

  // Takes everything up to the next comma outside parentheses, or to the end.
  void SkipToComma() {
    size_t depth = 0;
    while (!AtEnd()) {
      if (depth == 0 && lexer_.IsSymbol(next_, ',')) return;
      if (lexer_.IsSymbol(next_, '(') || lexer_.IsSymbol(next_, '[')) ++depth;
      if (lexer_.IsSymbol(next_, ')') || lexer_.IsSymbol(next_, ']')) depth -= depth > 0;
      Skip();
    }
  }

 private:
  // The rest of a U&"" name, which may say UESCAPE 'c'.
  absl::optional<std::string> AcceptUnicodeEscapes(const std::string& text) {
    char escape = '\\';
    if (Accept("uescape")) {
      const absl::string_view literal = lexer_.TextOf(next_);
      if (next_.kind != Token::Kind::kString || literal.size() != 3) return absl::nullopt;
      escape = literal[1];
      Skip();
    }
    absl::optional<std::string> name = UnicodeEscapes::Decode(text, escape);
    if (name.has_value()) name = Truncated(*std::move(name));
    return name;
  }

  SqlLexer lexer_;
  Token next_;
};

// A kind of object whose IF [NOT] EXISTS is understood: the words between CREATE, DROP or ALTER and
// the guard. Those of objects with argument lists (functions, aggregates, operators, casts) are
// left out.
absl::optional<std::string> AcceptKind(Reader& reader) {
  // clang-format off
  static constexpr absl::string_view kKinds[] = {
      "access method", "collation", "conversion", "database", "domain", "event trigger",
      "extension", "foreign data wrapper", "foreign table", "group", "index", "language",
      "materialized view", "policy", "publication", "role", "rule", "schema", "sequence", "server",
      "statistics", "subscription", "table", "tablespace", "text search configuration",
      "text search dictionary", "text search parser", "text search template", "trigger", "type",
      "user", "view",
  };
  // clang-format on
  constexpr int kMostWords = 3;
  std::string kind = reader.AcceptWord();
  for (int words = 1; words <= kMostWords; ++words) {
    if (std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds)) return kind;
    absl::StrAppend(&kind, " ", reader.AcceptWord());
  }
  return absl::nullopt;
}

// A trigger, a rule or a policy belongs to a table, which follows as ON table.
bool IsKindOnTable(absl::string_view kind) {
  return kind == "trigger" || kind == "rule" || kind == "policy";
}

GuardedObject MakeObject(absl::string_view kind, QualifiedName name, Guard guard) {
  GuardedObject object;
  object.kind = std::string(kind);
  object.schema = std::move(name.schema);
  object.name = std::move(name.name);
  object.guard = guard;
  return object;
}

bool AcceptTable(Reader& reader, GuardedObject& object) {
  if (!reader.Accept("on")) return false;
  reader.Accept("only");
  absl::optional<QualifiedName> table = reader.AcceptQualifiedName();
  if (!table.has_value()) return false;
  object.table_schema = std::move(table->schema);
  object.table = std::move(table->name);
  return true;
}

// CREATE SCHEMA IF NOT EXISTS [name] [AUTHORIZATION role]: without a name it is the role's. Who
// CURRENT_USER is only the database knows.
absl::optional<QualifiedName> AcceptSchemaName(Reader& reader) {
  if (!reader.Accept("authorization")) return reader.AcceptQualifiedName();
  if (reader.AcceptAnyOf({"current_user", "current_role", "session_user"})) return absl::nullopt;
  return reader.AcceptQualifiedName();
}

// CREATE [modifiers] kind IF NOT EXISTS name
std::vector<GuardedObject> GuardedByCreate(Reader reader) {
  // A temporary table is in a schema of its own, and nobody else's business.
  reader.AcceptAnyOf({"global", "local"});
  if (reader.AcceptAnyOf({"temp", "temporary"})) return {};
  reader.AcceptAnyOf({"unlogged", "unique"});
  const absl::optional<std::string> kind = AcceptKind(reader);
  if (!kind.has_value()) return {};
  reader.Accept("concurrently");
  if (!reader.AcceptAll({"if", "not", "exists"})) return {};
  absl::optional<QualifiedName> name =
      *kind == "schema" ? AcceptSchemaName(reader) : reader.AcceptQualifiedName();
  if (!name.has_value()) return {};
  GuardedObject object = MakeObject(*kind, *std::move(name), Guard::kIfNotExists);
  if (*kind == "index" && !AcceptTable(reader, object)) return {};
  return {std::move(object)};
}

// DROP kind IF EXISTS name, ... or DROP TRIGGER|RULE|POLICY IF EXISTS name ON table
std::vector<GuardedObject> GuardedByDrop(Reader reader) {
  reader.Accept("procedural");
  const absl::optional<std::string> kind = AcceptKind(reader);
  if (!kind.has_value()) return {};
  reader.Accept("concurrently");
  if (!reader.AcceptAll({"if", "exists"})) return {};
  std::vector<GuardedObject> objects;
  do {
    absl::optional<QualifiedName> name = reader.AcceptQualifiedName();
    if (!name.has_value()) return {};
    objects.push_back(MakeObject(*kind, *std::move(name), Guard::kIfExists));
  } while (reader.AcceptSymbol(','));
  if (IsKindOnTable(*kind) && !AcceptTable(reader, objects.front())) return {};
  return objects;
}

// ADD [COLUMN] IF NOT EXISTS name, DROP [COLUMN] IF EXISTS name, DROP CONSTRAINT IF EXISTS name
absl::optional<GuardedObject> GuardedByAction(Reader& reader) {
  if (reader.Accept("add")) {
    reader.Accept("column");
    if (!reader.AcceptAll({"if", "not", "exists"})) return absl::nullopt;
    const absl::optional<std::string> name = reader.AcceptName();
    if (!name.has_value()) return absl::nullopt;
    return MakeObject("column", {"", *name}, Guard::kIfNotExists);
  }
  if (reader.Accept("drop")) {
    const bool constraint = reader.Accept("constraint");
    if (!constraint) reader.Accept("column");
    if (!reader.AcceptAll({"if", "exists"})) return absl::nullopt;
    const absl::optional<std::string> name = reader.AcceptName();
    if (!name.has_value()) return absl::nullopt;
    return MakeObject(constraint ? "constraint" : "column", {"", *name}, Guard::kIfExists);
  }
  return absl::nullopt;
}

std::vector<GuardedObject> GuardedByActions(Reader& reader, const QualifiedName& table) {
  std::vector<GuardedObject> objects;
  do {
    if (absl::optional<GuardedObject> object = GuardedByAction(reader)) {
      object->table_schema = table.schema;
      object->table = table.name;
      objects.push_back(*std::move(object));
    }
    reader.SkipToComma();
  } while (reader.AcceptSymbol(','));
  return objects;
}

// ALTER kind [IF EXISTS] [ONLY] name [*] action, ...
std::vector<GuardedObject> GuardedByAlter(Reader reader) {
  const absl::optional<std::string> kind = AcceptKind(reader);
  if (!kind.has_value()) return {};
  const bool guarded = reader.AcceptAll({"if", "exists"});
  reader.Accept("only");
  const absl::optional<QualifiedName> name = reader.AcceptQualifiedName();
  if (!name.has_value()) return {};
  reader.AcceptSymbol('*');
  std::vector<GuardedObject> objects;
  if (guarded) {
    objects.push_back(MakeObject(*kind, *name, Guard::kIfExists));
    if (IsKindOnTable(*kind) && !AcceptTable(reader, objects.front())) return {};
  }
  if (*kind == "table" || *kind == "foreign table") {
    std::vector<GuardedObject> parts = GuardedByActions(reader, *name);
    std::move(parts.begin(), parts.end(), std::back_inserter(objects));
  }
  return objects;
}

// REINDEX [(CONCURRENTLY [boolean], ...)] INDEX|TABLE|... [CONCURRENTLY] name
bool IsConcurrentReindex(Reader reader) {
  if (reader.AcceptSymbol('(')) {
    while (!reader.AtEnd() && !reader.AcceptSymbol(')')) {
      if (!reader.Accept("concurrently")) {
        reader.Skip();
      } else if (!reader.AcceptFalse()) {
        return true;
      }
    }
  }
  reader.AcceptWord();
  return reader.Accept("concurrently");
}

// ALTER TABLE [IF EXISTS] name DETACH PARTITION name CONCURRENTLY
bool IsConcurrentDetach(Reader reader) {
  if (!reader.Accept("table")) return false;
  reader.AcceptAll({"if", "exists"});
  if (!reader.AcceptQualifiedName().has_value()) return false;
  if (!reader.AcceptAll({"detach", "partition"})) return false;
  return reader.AcceptQualifiedName().has_value() && reader.Accept("concurrently");
}

// `name` as SQL needs it: quoted, unless PostgreSQL would fold it to itself.
std::string Displayed(absl::string_view name) {
  const bool plain =
      !name.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(name[0])) &&
      std::all_of(name.begin(), name.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return absl::ascii_islower(byte) || absl::ascii_isdigit(byte) || c == '_' || byte >= 0x80;
      });
  if (plain) return std::string(name);
  return absl::StrCat("\"", absl::StrReplaceAll(name, {{"\"", "\"\""}}), "\"");
}

}  // namespace

std::string GuardedObject::DisplayName() const {
  // Columns and their like are known by their table; an index lives in a schema beside it.
  std::string display;
  if (kind == "column" || kind == "constraint" || IsKindOnTable(kind)) {
    if (!table_schema.empty()) absl::StrAppend(&display, Displayed(table_schema), ".");
    if (!table.empty()) absl::StrAppend(&display, Displayed(table), ".");
  } else if (!schema.empty()) {
    absl::StrAppend(&display, Displayed(schema), ".");
  }
  absl::StrAppend(&display, Displayed(name));
  return display;
}

std::vector<GuardedObject> GuardedObjects(absl::string_view sql) {
  Reader reader(sql);
  if (reader.Accept("create")) return GuardedByCreate(reader);
  if (reader.Accept("drop")) return GuardedByDrop(reader);
  if (reader.Accept("alter")) return GuardedByAlter(reader);
  return {};
}

bool IsTransactionControl(absl::string_view sql) {
  Reader reader(sql);
  if (reader.AcceptAnyOf({"begin", "commit", "end", "abort"})) return true;
  if (reader.Accept("start") || reader.Accept("prepare")) return reader.Accept("transaction");
  if (!reader.Accept("rollback")) return false;
  reader.AcceptAnyOf({"work", "transaction"});
  return !reader.Accept("to");
}

bool IsConcurrent(absl::string_view sql) {
  Reader reader(sql);
  if (reader.Accept("create")) {
    reader.Accept("unique");
    return reader.AcceptAll({"index", "concurrently"});
  }
  if (reader.Accept("drop")) return reader.AcceptAll({"index", "concurrently"});
  if (reader.Accept("refresh")) {
    return reader.AcceptAll({"materialized", "view", "concurrently"});
  }
  if (reader.Accept("reindex")) return IsConcurrentReindex(reader);
  if (reader.Accept("alter")) return IsConcurrentDetach(reader);
  return false;
}

}  // namespace migd
