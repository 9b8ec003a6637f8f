#include "client/import/python_header.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace migctl {
namespace {

struct PythonToken {
  enum class Kind { kEnd, kNewline, kName, kString, kOther };
  Kind kind = Kind::kEnd;
  // A name, the value of a string, or one other character.
  std::string text;
  int line = 1;
  // The token is the first of a line of code, and not indented.
  bool at_margin = false;
};

bool IsNameCharacter(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return absl::ascii_isalnum(byte) || c == '_' || byte >= 0x80;
}

// The tokens of Python source. A newline inside brackets, and one behind a backslash, is none.
class PythonLexer {
 public:
  explicit PythonLexer(absl::string_view text) : text_(text) {}

  PythonToken Next() {
    SkipBlanks();
    PythonToken token;
    token.line = line_;
    token.at_margin = at_ == 0 || (at_ == line_begin_ && depth_ == 0);
    if (at_ >= text_.size()) return token;
    const char c = text_[at_];
    if (c == '\n') {
      token.kind = PythonToken::Kind::kNewline;
      Advance();
    } else if (c == '"' || c == '\'') {
      token.kind = PythonToken::Kind::kString;
      token.text = ReadString(/*raw=*/false);
    } else if (IsNameCharacter(c)) {
      ReadName(token);
    } else {
      if (absl::StrContains("([{", c)) ++depth_;
      if (absl::StrContains(")]}", c) && depth_ > 0) --depth_;
      token.kind = PythonToken::Kind::kOther;
      token.text = std::string(1, c);
      Advance();
    }
    return token;
  }

 private:
  char At(size_t position) const { return position < text_.size() ? text_[position] : '\0'; }

  void Advance() {
    if (At(at_) == '\n') {
      ++line_;
      line_begin_ = at_ + 1;
    }
    ++at_;
  }

  void SkipBlanks() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') Advance();
      } else if (c == '\\' && (At(at_ + 1) == '\n' || At(at_ + 1) == '\r')) {
        Advance();
        if (At(at_) == '\r') Advance();
        Advance();
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || (c == '\n' && depth_ > 0)) {
        Advance();
      } else {
        return;
      }
    }
  }

  // A name, or a string with a prefix such as r"...". A formatted string is not a literal.
  void ReadName(PythonToken& token) {
    const size_t begin = at_;
    while (at_ < text_.size() && IsNameCharacter(text_[at_])) Advance();
    token.text = std::string(text_.substr(begin, at_ - begin));
    token.kind = PythonToken::Kind::kName;
    if (At(at_) != '"' && At(at_) != '\'') return;
    const std::string prefix = absl::AsciiStrToLower(token.text);
    const bool literal = prefix == "r" || prefix == "u";
    const std::string value = ReadString(prefix != "u");
    if (literal) token.text = value;
    token.kind = literal ? PythonToken::Kind::kString : PythonToken::Kind::kOther;
  }

  std::string ReadString(bool raw) {
    const char quote = text_[at_];
    const bool triple = At(at_ + 1) == quote && At(at_ + 2) == quote;
    const size_t quotes = triple ? 3 : 1;
    for (size_t i = 0; i < quotes; ++i) Advance();
    std::string value;
    while (at_ < text_.size()) {
      if (text_[at_] == '\\') {
        ReadEscape(raw, value);
      } else if (text_[at_] == quote && (!triple || EndsTriple(quote))) {
        for (size_t i = 0; i < quotes; ++i) Advance();
        break;
      } else if (text_[at_] == '\n' && !triple) {
        break;  // not Python
      } else {
        value += text_[at_];
        Advance();
      }
    }
    return value;
  }

  bool EndsTriple(char quote) const { return At(at_ + 1) == quote && At(at_ + 2) == quote; }

  // The escapes that a message can be expected to have; others stay as they are written.
  void ReadEscape(bool raw, std::string& value) {
    Advance();
    const char c = At(at_);
    if (raw || !absl::StrContains("\n\\'\"", c) || c == '\0') value += '\\';
    if (raw || c != '\n') value += c;
    if (at_ < text_.size()) Advance();
  }

  absl::string_view text_;
  size_t at_ = 0;
  size_t line_begin_ = 0;
  int line_ = 1;
  int depth_ = 0;
};

// One line of code: its tokens without the newline.
using Line = std::vector<PythonToken>;

bool IsOther(const PythonToken& token, absl::string_view text) {
  return token.kind == PythonToken::Kind::kOther && token.text == text;
}

bool IsName(const PythonToken& token, absl::string_view text) {
  return token.kind == PythonToken::Kind::kName && token.text == text;
}

// Reads what stands behind the equals sign.
class ValueReader {
 public:
  ValueReader(const Line& line, size_t at) : line_(line), at_(at) {}

  absl::optional<std::vector<std::string>> Read() {
    std::vector<std::string> values;
    const bool understood = ReadValue(values);
    if (!understood || at_ != line_.size()) return absl::nullopt;
    return values;
  }

 private:
  bool ReadValue(std::vector<std::string>& values) {
    if (at_ >= line_.size()) return false;
    const PythonToken& token = line_[at_];
    if (IsName(token, "None")) {
      ++at_;
      return true;
    }
    if (token.kind == PythonToken::Kind::kString) {
      values.push_back(ReadStrings());
      return AcceptBareTuple(values);
    }
    for (const auto& [open, close] : {std::pair("(", ")"), {"[", "]"}, {"{", "}"}}) {
      if (IsOther(token, open)) return ReadSequence(close, values);
    }
    return false;
  }

  // Strings side by side are one.
  std::string ReadStrings() {
    std::string value;
    while (at_ < line_.size() && line_[at_].kind == PythonToken::Kind::kString) {
      value += line_[at_++].text;
    }
    return value;
  }

  // "a", "b" without parentheses.
  bool AcceptBareTuple(std::vector<std::string>& values) {
    while (at_ < line_.size() && IsOther(line_[at_], ",")) {
      ++at_;
      if (at_ == line_.size()) return true;
      if (line_[at_].kind != PythonToken::Kind::kString) return false;
      values.push_back(ReadStrings());
    }
    return true;
  }

  bool ReadSequence(const char* close, std::vector<std::string>& values) {
    ++at_;
    while (at_ < line_.size() && !IsOther(line_[at_], close)) {
      if (line_[at_].kind != PythonToken::Kind::kString) return false;
      values.push_back(ReadStrings());
      if (at_ < line_.size() && IsOther(line_[at_], ",")) ++at_;
    }
    if (at_ >= line_.size()) return false;
    ++at_;
    return true;
  }

  const Line& line_;
  size_t at_;
};

// The place behind the equals sign if `line` assigns to a name, with an annotation or without.
absl::optional<size_t> FindValue(const Line& line) {
  if (line.size() < 3 || line[0].kind != PythonToken::Kind::kName) return absl::nullopt;
  if (IsOther(line[1], "=")) return 2;
  if (!IsOther(line[1], ":")) return absl::nullopt;
  for (size_t i = 2; i < line.size(); ++i) {
    if (IsOther(line[i], "=")) return i + 1;
  }
  return absl::nullopt;
}

class HeaderReader {
 public:
  explicit HeaderReader(absl::string_view script) : lexer_(script) {}

  absl::optional<PythonHeader> Read(int& line, std::string& problem) {
    bool first = true;
    for (Line code = NextLine(); !code.empty(); code = NextLine()) {
      const bool is_docstring =
          first && code.size() == 1 && code[0].kind == PythonToken::Kind::kString;
      first = false;
      if (is_docstring) header_.docstring = code[0].text;
      const absl::optional<size_t> value = FindValue(code);
      if (!value.has_value() || !code[0].at_margin) continue;
      if (!Take(code, *value)) {
        line = code[0].line;
        problem = absl::StrCat("the value of ", code[0].text,
                               " is no string, None or list of strings; write it as one");
        return absl::nullopt;
      }
    }
    if (!header_.revision.empty()) return std::move(header_);
    line = 0;
    problem = "it has no line revision = \"...\"";
    return absl::nullopt;
  }

 private:
  // The next line with code on it; empty at the end.
  Line NextLine() {
    Line line;
    while (true) {
      PythonToken token = lexer_.Next();
      if (token.kind == PythonToken::Kind::kEnd) return line;
      const bool ends = token.kind == PythonToken::Kind::kNewline || IsOther(token, ";");
      if (ends && !line.empty()) return line;
      if (!ends) line.push_back(std::move(token));
    }
  }

  // False if the name is one that counts and its value is not understood.
  bool Take(const Line& code, size_t at) {
    const std::string& name = code[0].text;
    std::vector<std::string>* place = ListOf(name);
    if (place == nullptr && name != "revision") return true;
    absl::optional<std::vector<std::string>> values = ValueReader(code, at).Read();
    if (!values.has_value()) return false;
    if (place != nullptr) {
      *place = *std::move(values);
      return true;
    }
    if (values->size() != 1) return false;
    header_.revision = values->front();
    return true;
  }

  // Where the values of a name go that may have several; null for other names.
  std::vector<std::string>* ListOf(const std::string& name) {
    if (name == "down_revision") return &header_.down_revisions;
    if (name == "branch_labels") return &header_.branch_labels;
    if (name == "depends_on") return &header_.depends_on;
    return nullptr;
  }

  PythonLexer lexer_;
  PythonHeader header_;
};

}  // namespace

absl::optional<PythonHeader> ReadPythonHeader(absl::string_view script, int& line,
                                              std::string& problem) {
  return HeaderReader(script).Read(line, problem);
}

}  // namespace migctl
