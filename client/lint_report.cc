#include "client/lint_report.h"

#include <cstdio>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/safety_text.h"
#include "client/source_excerpt.h"
#include "client/text.h"
#include "client/version.h"

namespace migctl {
namespace {

using migration::v1::Finding;
using migration::v1::LintResponse;
using migration::v1::LintRule;
using migration::v1::ProposedFile;
using migration::v1::Severity;

bool IsError(const Finding& finding) { return finding.severity() == migration::v1::SEVERITY_ERROR; }

std::string PathOf(const Finding& finding, const LintFiles& files) {
  absl::string_view directory = files.directory;
  while (absl::ConsumePrefix(&directory, "./")) {
  }
  while (directory.size() > 1 && absl::ConsumeSuffix(&directory, "/")) {
  }
  if (directory.empty() || directory == ".") return finding.path();
  return absl::StrCat(directory, directory == "/" ? "" : "/", finding.path());
}

// Line `number` of a text, from 1; empty if there is none.
std::string LineOf(absl::string_view text, int number) {
  for (int line = 1; !text.empty(); ++line) {
    const size_t end = text.find('\n');
    if (line == number) {
      return std::string(absl::StripSuffix(text.substr(0, end), "\r"));
    }
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
  return "";
}

// How many characters the word has that begins at a column of a line.
int WordLength(absl::string_view line, int column) {
  for (int at = 1; at < column && !line.empty(); ++at) {
    line.remove_prefix(FirstCharacter(line).size);
  }
  int length = 0;
  while (!line.empty()) {
    const Character character = FirstCharacter(line);
    const bool is_word = character.value >= 0x80 || line[0] == '_' || line[0] == '"' ||
                         absl::ascii_isalnum(static_cast<unsigned char>(line[0]));
    if (!is_word) break;
    line.remove_prefix(character.size);
    ++length;
  }
  return length == 0 ? 1 : length;
}

std::string FindingReport(const Finding& finding, const LintFiles& files,
                          const TextSettings& settings) {
  const Style& style = settings.style;
  const std::string severity = absl::StrCat(SeverityName(finding.severity()), ":");
  std::string report =
      absl::StrCat(IsError(finding) ? style.Error(severity) : style.Warning(severity), " ",
                   style.Bold(Escape(finding.message())), " [", Escape(finding.rule()), "]\n");
  SourcePlace place;
  place.file = PathOf(finding, files);
  place.line = finding.line();
  place.column = finding.column();
  place.shows_column = true;
  if (const auto contents = files.contents.find(finding.path()); contents != files.contents.end()) {
    place.text = LineOf(contents->second, finding.line());
  }
  place.length = WordLength(place.text, place.column);
  absl::StrAppend(&report, SourceExcerpt(place, style, settings.width));
  if (!finding.suggestion().empty()) {
    absl::StrAppend(&report, "instead: ", Escape(finding.suggestion()), "\n");
  }
  return report;
}

// As a command of GitHub Actions has it.
std::string GitHubData(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"%", "%25"}, {"\r", "%0D"}, {"\n", "%0A"}});
}

std::string GitHubProperty(absl::string_view text) {
  return absl::StrReplaceAll(GitHubData(text), {{":", "%3A"}, {",", "%2C"}});
}

// --- SARIF ---

std::string JsonString(absl::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", c);
      json += escaped;
    } else {
      json += c;
    }
  }
  return json + "\"";
}

std::string SarifText(absl::string_view text) {
  return absl::StrCat("{\"text\":", JsonString(text), "}");
}

// A reference as RFC 3986 has it.
std::string Uri(const std::string& path) {
  std::string uri = absl::StartsWith(path, "/") ? "file://" : "";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || absl::string_view("-._~/").find(c) != std::string::npos) {
      uri += c;
    } else {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "%%%02X", byte);
      uri += escaped;
    }
  }
  return uri;
}

// SARIF calls a rule that is off "none".
std::string SarifLevel(Severity severity) {
  return severity == migration::v1::SEVERITY_OFF ? "none" : SeverityName(severity);
}

std::string SarifRule(const LintRule& rule) {
  return absl::StrCat(
      "{\"id\":", JsonString(rule.rule()), ",\"shortDescription\":", SarifText(rule.description()),
      ",\"defaultConfiguration\":{\"level\":\"", SarifLevel(rule.severity()), "\"}}");
}

std::string SarifResult(const Finding& finding, const LintFiles& files,
                        const std::map<std::string, int>& rules) {
  const auto rule = rules.find(finding.rule());
  std::string result = absl::StrCat(
      "{\"ruleId\":", JsonString(finding.rule()),
      rule == rules.end() ? "" : absl::StrCat(",\"ruleIndex\":", rule->second), ",\"level\":\"",
      SarifLevel(finding.severity()), "\",\"message\":",
      SarifText(absl::StrCat(finding.message(), "\nInstead: ", finding.suggestion())),
      ",\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{\"uri\":",
      JsonString(Uri(PathOf(finding, files))), "},\"region\":{\"startLine\":", finding.line(),
      ",\"startColumn\":", finding.column(), "}}}]");
  if (finding.is_waived()) {
    absl::StrAppend(&result, ",\"suppressions\":[{\"kind\":\"inSource\",\"justification\":",
                    JsonString(finding.waiver_reason()), "}]");
  }
  return result + "}";
}

}  // namespace

std::string LintSummary(const LintResponse& response) {
  std::string summary = absl::StrCat(Count(response.error_count(), "error"), ", ",
                                     Count(response.warning_count(), "warning"));
  if (response.waived_count() > 0) {
    absl::StrAppend(&summary, ", ", response.waived_count(), " waived");
  }
  absl::StrAppend(&summary, " in ", Count(response.revision_count(), "revision"));
  if (response.unknown_statement_count() > 0) {
    absl::StrAppend(&summary, "; ", Count(response.unknown_statement_count(), "statement"),
                    " could not be read");
  }
  return summary;
}

std::string LintText(const LintResponse& response, const LintFiles& files,
                     const TextSettings& settings) {
  std::string text;
  for (const Finding& finding : response.findings()) {
    if (finding.is_waived()) continue;
    absl::StrAppend(&text, FindingReport(finding, files, settings), "\n");
  }
  return absl::StrCat(text, LintSummary(response), "\n");
}

std::string LintGitHub(const LintResponse& response, const LintFiles& files) {
  std::string text;
  for (const Finding& finding : response.findings()) {
    if (finding.is_waived()) continue;
    absl::StrAppend(&text, "::", SeverityName(finding.severity()),
                    " file=", GitHubProperty(PathOf(finding, files)), ",line=", finding.line(),
                    ",col=", finding.column(), ",title=", GitHubProperty(finding.rule()),
                    "::", GitHubData(finding.message()),
                    GitHubData(absl::StrCat("\nInstead: ", finding.suggestion())), "\n");
  }
  return text;
}

std::string LintSarif(const LintResponse& response, const LintFiles& files) {
  std::map<std::string, int> indexes;
  std::string rules;
  for (int i = 0; i < response.rules_size(); ++i) {
    indexes[response.rules(i).rule()] = i;
    absl::StrAppend(&rules, i == 0 ? "" : ",", "\n    ", SarifRule(response.rules(i)));
  }
  std::string results;
  for (const Finding& finding : response.findings()) {
    absl::StrAppend(&results, results.empty() ? "" : ",", "\n    ",
                    SarifResult(finding, files, indexes));
  }
  return absl::StrCat(
      "{\"$schema\":\"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
      "sarif-schema-2.1.0.json\",\n\"version\":\"2.1.0\",\n\"runs\":[{\n  \"columnKind\":"
      "\"unicodeCodePoints\",\n  \"tool\":{\"driver\":{\"name\":\"migctl\",\"version\":",
      JsonString(kVersion), ",\"rules\":[", rules, "]}},\n  \"results\":[", results, "]}]}\n");
}

std::string LintRulesText(const LintResponse& response, const TextSettings& settings) {
  std::string text;
  for (const LintRule& rule : response.rules()) {
    absl::StrAppend(&text, settings.style.Accent(Escape(rule.rule())), "  ",
                    SeverityName(rule.severity()));
    if (rule.severity() != rule.default_severity()) {
      absl::StrAppend(&text, " (by itself ", SeverityName(rule.default_severity()), ")");
    }
    absl::StrAppend(&text, "\n    ", Escape(rule.description()), "\n");
  }
  return text;
}

std::string ProposalsText(const LintResponse& response, const TextSettings& settings) {
  std::string text;
  for (const ProposedFile& proposal : response.proposals()) {
    for (absl::string_view line : absl::StrSplit(absl::StripSuffix(proposal.diff(), "\n"), '\n')) {
      // What a program reads must be what the file has; a terminal must not be driven by it.
      std::string shown = settings.terminal ? Escape(line) : std::string(line);
      if (absl::StartsWith(line, "+")) {
        shown = settings.style.Good(shown);
      } else if (absl::StartsWith(line, "-")) {
        shown = settings.style.Error(shown);
      }
      absl::StrAppend(&text, shown, "\n");
    }
  }
  return text;
}

}  // namespace migctl
