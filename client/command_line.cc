#include "client/command_line.h"

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/completion.h"
#include "client/text.h"
#include "client/time_text.h"
#include "client/version.h"
#include "migration_client/request_id.h"

namespace migctl {
namespace {

using migration::v1::Action;
using migration::v1::Operation;
using migration_client::IsUuid;
using migration_client::NewRequestId;

// CLI11 takes "-1" for an option. Such a word is marked before it sees it and unmarked after.
constexpr char kValueMark = '\x01';

bool IsRelativeValue(const std::string& word) {
  return word.size() > 1 && word[0] == '-' &&
         absl::ascii_isdigit(static_cast<unsigned char>(word[1]));
}

std::string Marked(const std::string& word) {
  return IsRelativeValue(word) ? absl::StrCat(std::string(1, kValueMark), word) : word;
}

std::string Unmarked(const std::string& word) {
  return !word.empty() && word[0] == kValueMark ? word.substr(1) : word;
}

std::vector<std::string> Unmarked(const std::vector<std::string>& words) {
  std::vector<std::string> plain;
  for (const std::string& word : words) plain.push_back(Unmarked(word));
  return plain;
}

// "a,b" or "a, b" as a list.
std::vector<std::string> SplitNames(const std::string& names) {
  std::vector<std::string> split = absl::StrSplit(Unmarked(names), ',', absl::SkipWhitespace());
  for (std::string& name : split) absl::StripAsciiWhitespace(&name);
  return split;
}

constexpr char kFooter[] =
    R"(A revision is an id or the beginning of one, a branch label, head, heads, base or
current, or relative: -1 is one down, +2 two up, ae10+2 two above ae10.

Examples:
  migctl upgrade head              bring the database up to date
  migctl downgrade -1              take the last revision down
  migctl plan upgrade head         see the steps first
  migctl history -r -3:current     the last three revisions
  migctl operations watch 7k2m     follow what another migctl has started

Exit codes:
  0 done   1 failed   2 usage   3 a check did not hold
  4 server unreachable or deadline passed   130 interrupted or cancelled)";

constexpr char kUpgradeTarget[] = "A revision, such as head, ae10, label@head or +2";
constexpr char kDowngradeTarget[] = "A revision, such as base, ae10, label@base or -1";

constexpr char kOperationFooter[] =
    R"(The operation runs in the server. Ctrl-C asks the server to cancel it and waits for its
end; a second Ctrl-C leaves at once. A server that is restarted meanwhile is waited for, and
the operation followed further. Durations are written like 2s, 500ms, 5m or 0.)";

constexpr char kImportFooter[] =
    R"(Ids, order, messages, up, down and no-transaction marks are kept. What cannot be translated
is named, all of it at once, and nothing is written then. No server is asked; Alembic's own SQL
comes from alembic, which is run without a database.

Examples:
  migctl import flyway src/main/resources/db/migration
  migctl import flyway db --skip R__views.sql --migrations db/revisions
  migctl import alembic . --alembic venv/bin/alembic --dry-run
  migctl import goose db/migrations --output json)";

std::string Footer(const std::string& text = "") {
  return absl::StrCat(text, text.empty() ? "" : "\n\n", kGlobalHint);
}

// CLI11's layout with one blank line between its parts.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_description(const CLI::App* app) const override {
    return absl::StrCat(CLI::Formatter::make_description(app), "\n");
  }
  std::string make_footer(const CLI::App* app) const override {
    return absl::StrCat(app->get_footer(), "\n");
  }
  // Without the value that a flag has by itself: "--backup{always}".
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    const std::string name = CLI::Formatter::make_option_name(option, is_positional);
    return name.substr(0, name.find('{'));
  }
  // Without the options that a flag excludes or needs, which errors tell soon enough.
  std::string make_option_opts(const CLI::Option* option) const override {
    const bool is_flag = option->get_expected_max() == 0;
    if (is_flag && option->get_option_text().empty()) return "";
    return CLI::Formatter::make_option_opts(option);
  }
};

// The values of the options, as CLI11 fills them in.
struct GlobalText {
  std::string server = GlobalOptions().server;
  std::string database;
  std::string output = "text";
  std::string timeout;
  std::string color = "auto";
  bool tls = false;
  migration_client::TlsOptions tls_files;
  std::string token_file;
};

struct RunText {
  std::string lock_timeout;
  std::string statement_timeout;
  std::string mutex_timeout;
  std::optional<int> lock_retries;
  bool terminate_blockers = false;
  bool resume = false;
  int skip_statement = 0;
  std::string plan_hash;
  std::string confirmation;
  bool yes = false;
  bool detach = false;
  std::string request_id;
  std::vector<std::string> accept_checksums;
  std::string existing;
  bool verify = false;
  bool no_verify = false;
  std::string lint;
  std::string backup;
  std::string backup_verify;
};

// upgrade, downgrade or stamp as a script.
struct ScriptText {
  bool wanted = false;
  std::string from;
};

// A new migration file.
struct FileText {
  std::string message;
  std::vector<std::string> branch_labels;
  std::string revision;
  std::string directory;
};

const CLI::Validator& IsDuration() {
  static const CLI::Validator validator(
      [](std::string& text) -> std::string {
        if (ParseDuration(text).has_value()) return "";
        return absl::StrCat("'", text, "' is no duration: write 2s, 500ms, 5m or 0");
      },
      "", "duration");
  return validator;
}

// An empty value is a variable of a shell that was not set: nobody means the default by it.
const CLI::Validator& IsNotEmpty() {
  static const CLI::Validator validator(
      [](std::string& text) -> std::string { return text.empty() ? "is empty" : ""; }, "",
      "not empty");
  return validator;
}

const CLI::Validator& IsSequence() {
  static const CLI::Validator validator(
      [](std::string& text) -> std::string {
        int64_t value = 0;
        if (absl::SimpleAtoi(text, &value) && value >= 0) return "";
        return absl::StrCat("'", text, "' is no number from 0 on");
      },
      "", "sequence");
  return validator;
}

const CLI::Validator& IsCount() {
  static const CLI::Validator validator(
      [](std::string& text) -> std::string {
        int64_t value = 0;
        if (absl::SimpleAtoi(text, &value) && value > 0) return "";
        return absl::StrCat("'", text, "' is no number from 1 on");
      },
      "", "count");
  return validator;
}

constexpr std::array<const char*, 5> kPeers = {"alembic", "flyway", "golang-migrate", "goose",
                                               "dbmate"};

const CLI::Validator& IsPeer() {
  static const CLI::Validator validator(
      [](std::string& text) -> std::string {
        for (const char* peer : kPeers) {
          if (text == peer) return "";
        }
        return absl::StrCat("'", text,
                            "' is not known: use alembic, flyway, golang-migrate, goose or dbmate");
      },
      "", "peer");
  return validator;
}

const CLI::Validator& IsRequestId() {
  static const CLI::Validator validator(
      [](std::string& text) -> std::string {
        return IsUuid(text) ? "" : absl::StrCat("'", text, "' is no UUID");
      },
      "", "uuid");
  return validator;
}

constexpr std::array<std::pair<const char*, migration::v1::LintGate>, 3> kLintGates = {
    {{"error", migration::v1::LINT_GATE_ERROR},
     {"warn", migration::v1::LINT_GATE_WARN},
     {"off", migration::v1::LINT_GATE_OFF}}};

// Unspecified for an empty text.
migration::v1::LintGate LintGateOf(const std::string& text) {
  for (const auto& [name, gate] : kLintGates) {
    if (text == name) return gate;
  }
  return migration::v1::LINT_GATE_UNSPECIFIED;
}

const CLI::Validator& IsLintGate() {
  static const CLI::Validator validator(
      [](std::string& text) -> std::string {
        if (LintGateOf(text) != migration::v1::LINT_GATE_UNSPECIFIED) return "";
        return absl::StrCat("'", text, "' is none of error, warn and off");
      },
      "", "gate");
  return validator;
}

std::optional<absl::Duration> DurationOf(const std::string& text) {
  return text.empty() ? std::nullopt : ParseDuration(text);
}

template <typename Value>
using Names = std::vector<std::pair<std::string, Value>>;

// The names as the type of an option, which completions offer: "list|restore".
template <typename Value>
std::string Alternatives(const Names<Value>& names) {
  std::string type;
  for (const auto& [name, value] : names) absl::StrAppend(&type, type.empty() ? "" : "|", name);
  return type;
}

const Names<migration::v1::BackupMode>& BackupModes() {
  static const auto& names = *new Names<migration::v1::BackupMode>{
      {"never", migration::v1::BACKUP_MODE_NEVER},
      {"before_destructive", migration::v1::BACKUP_MODE_BEFORE_DESTRUCTIVE},
      {"always", migration::v1::BACKUP_MODE_ALWAYS}};
  return names;
}

const Names<migration::v1::BackupVerification>& BackupVerifications() {
  static const auto& names = *new Names<migration::v1::BackupVerification>{
      {"list", migration::v1::BACKUP_VERIFICATION_LIST},
      {"restore", migration::v1::BACKUP_VERIFICATION_RESTORE}};
  return names;
}

// The value that has this name; the first of its enumeration, which means nothing, if none has.
template <typename Value>
Value NamedValue(const Names<Value>& names, const std::string& text) {
  for (const auto& [name, value] : names) {
    if (name == text) return value;
  }
  return Value{};
}

// Checks that a text is one of `names`.
template <typename Value>
CLI::Validator IsOneOf(const Names<Value>& names) {
  std::string list;
  for (const auto& [name, value] : names) absl::StrAppend(&list, list.empty() ? "" : ", ", name);
  return CLI::Validator(
      [&names, list](const std::string& text) {
        return NamedValue(names, text) != Value{} ? "" : absl::StrCat("must be one of ", list);
      },
      "");
}

RunSettings SettingsOf(const RunText& text) {
  RunSettings settings;
  settings.lock_timeout = DurationOf(text.lock_timeout);
  settings.statement_timeout = DurationOf(text.statement_timeout);
  settings.mutex_timeout = DurationOf(text.mutex_timeout);
  settings.lock_retries = text.lock_retries;
  settings.terminate_blockers = text.terminate_blockers;
  settings.resume = text.resume;
  settings.skip_statement = text.skip_statement;
  settings.plan_hash = text.plan_hash;
  settings.confirmation = text.confirmation;
  settings.yes = text.yes;
  settings.detach = text.detach;
  settings.is_repeatable = !text.request_id.empty();
  settings.request_id = settings.is_repeatable ? text.request_id : NewRequestId();
  settings.accept_checksums = text.accept_checksums;
  if (text.existing == "skip") settings.existing_objects = migration::v1::EXISTING_OBJECTS_SKIP;
  if (text.existing == "fail") settings.existing_objects = migration::v1::EXISTING_OBJECTS_FAIL;
  if (text.verify) settings.schema_check = migration::v1::SCHEMA_CHECK_REQUIRE;
  if (text.no_verify) settings.schema_check = migration::v1::SCHEMA_CHECK_OFF;
  settings.lint = LintGateOf(text.lint);
  settings.backup = NamedValue(BackupModes(), text.backup);
  settings.backup_verify = NamedValue(BackupVerifications(), text.backup_verify);
  return settings;
}

const std::vector<std::pair<std::string, Operation::State>>& StateNames() {
  static const auto& names = *new std::vector<std::pair<std::string, Operation::State>>{
      {"pending", Operation::STATE_PENDING},     {"running", Operation::STATE_RUNNING},
      {"succeeded", Operation::STATE_SUCCEEDED}, {"failed", Operation::STATE_FAILED},
      {"cancelled", Operation::STATE_CANCELLED}, {"interrupted", Operation::STATE_INTERRUPTED}};
  return names;
}

// The grammar. Each Add function declares one command and what it becomes when it is given.
class Grammar {
 public:
  // With as much as it takes to understand `words`; without any, the whole grammar.
  explicit Grammar(const Environment& environment, const std::vector<std::string>& words = {})
      : app_("Runs the schema migrations of PostgreSQL databases by a migd server.", "migctl"),
        environment_(environment) {
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.formatter(std::make_shared<HelpFormatter>());
    app_.footer(kFooter);
    app_.set_help_flag("-h,--help", "Print this help")->group(kGlobalGroup);
    app_.set_version_flag("--version", absl::StrCat("migctl ", kVersion, "\n"),
                          "Print the version of migctl")
        ->group(kGlobalGroup);
    AddGlobalOptions();
    AddCommands(words);
  }

  cli::Command Describe() const { return cli::Describe(app_); }

  ParsedCommandLine Parse(const std::vector<std::string>& arguments) {
    // CLI11 wants the words in reverse.
    std::vector<std::string> words;
    for (auto word = arguments.rbegin(); word != arguments.rend(); ++word) {
      words.push_back(Marked(*word));
    }
    try {
      RefuseInvalidUtf8(arguments);
      app_.parse(words);
      if (help_of_.has_value()) return HelpOf(*help_of_);
      return Invocation{Globals(), *command_};
    } catch (const CLI::CallForHelp&) {
      return HelpText{app_.help()};
    } catch (const CLI::CallForVersion& version) {
      return HelpText{version.what()};
    } catch (const CLI::ParseError& error) {
      return Usage(error);
    }
  }

 private:
  // What is sent to migd must be UTF-8.
  static void RefuseInvalidUtf8(const std::vector<std::string>& arguments) {
    for (const std::string& argument : arguments) {
      if (IsUtf8(argument)) continue;
      throw CLI::ValidationError(absl::StrCat("'", Escape(argument), "' is not UTF-8"));
    }
  }

  // --- Global options ---

  CLI::Option* AddGlobal(const char* flag, std::string& value, const char* variable,
                         const char* type, const std::string& description) {
    if (const char* set = environment_(variable); set != nullptr && *set != '\0') {
      value = set;
      from_environment_.push_back({flag, variable});
    }
    return app_.add_option(flag, value, absl::StrCat(description, " [", variable, "]"))
        ->option_text(type)
        ->group(kGlobalGroup);
  }

  void AddGlobalOptions() {
    AddGlobal("--server", global_.server, "MIGCTL_SERVER", "ADDR",
              "Address of migd: host:port or unix:PATH; default 127.0.0.1:7433");
    AddGlobal("--database", global_.database, "MIGCTL_DATABASE", "NAME",
              "Which database of the server; may be left out if it has one")
        ->type_name("DATABASE");
    AddGlobal("--output", global_.output, "MIGCTL_OUTPUT", "text|json", "Default text");
    AddGlobal("--timeout", global_.timeout, "MIGCTL_TIMEOUT", "DURATION",
              "Give up after this long; default 30s, none for operations and wait");
    AddGlobal("--color", global_.color, "MIGCTL_COLOR", "auto|always|never",
              "Default auto: on a terminal, unless NO_COLOR is set");
    AddTls();
    AddGlobal("--token-file", global_.token_file, "MIGCTL_TOKEN_FILE", "FILE",
              "Say who calls by the token in this file; MIGCTL_TOKEN is the token itself");
  }

  void AddTls() {
    const char* set = environment_("MIGCTL_TLS");
    global_.tls = set != nullptr && absl::string_view(set) != "" && absl::string_view(set) != "0" &&
                  absl::string_view(set) != "false";
    app_.add_flag("--tls", global_.tls,
                  "Encrypt the connection, trusting the system's authorities [MIGCTL_TLS]")
        ->group(kGlobalGroup);
    AddGlobal("--tls-ca", global_.tls_files.ca_file, "MIGCTL_TLS_CA", "FILE",
              "The same, trusting the authorities in this file");
    AddGlobal("--tls-cert", global_.tls_files.cert_file, "MIGCTL_TLS_CERT", "FILE",
              "The same, showing this certificate");
    AddGlobal("--tls-key", global_.tls_files.key_file, "MIGCTL_TLS_KEY", "FILE", "Its key");
    AddGlobal("--tls-server-name", global_.tls_files.server_name, "MIGCTL_TLS_SERVER_NAME", "NAME",
              "The name that migd's certificate must be for; default the host of the address");
  }

  // How the user gave the option that has a wrong value.
  std::string SourceOf(const std::string& flag) const {
    if (app_.get_option(flag)->count() > 0) return flag;
    for (const auto& [from, variable] : from_environment_) {
      if (from == flag) return variable;
    }
    return flag;
  }

  [[noreturn]] void Refuse(const std::string& flag, const std::string& value,
                           const std::string& expected) const {
    throw CLI::ValidationError(absl::StrCat(SourceOf(flag), " '", value, "': use ", expected));
  }

  GlobalOptions Globals() const {
    GlobalOptions options;
    options.server = global_.server;
    options.database = global_.database;
    if (options.server.empty()) Refuse("--server", options.server, "host:port or unix:PATH");
    if (global_.output != "text" && global_.output != "json") {
      Refuse("--output", global_.output, "text or json");
    }
    options.output = Format();
    if (!global_.timeout.empty()) {
      options.timeout = ParseDuration(global_.timeout);
      const bool usable = options.timeout.has_value() && *options.timeout > absl::ZeroDuration();
      if (!usable) Refuse("--timeout", global_.timeout, "a duration like 2s, 500ms or 5m");
    }
    options.color = Color();
    options.tls = Tls();
    options.token_file = global_.token_file;
    // A file that is named on the command line comes before a token that lies in the environment.
    if (options.token_file.empty()) options.token = Variable("MIGCTL_TOKEN");
    options.traceparent = Variable("MIGCTL_TRACEPARENT");
    if (options.traceparent.empty()) options.traceparent = Variable("TRACEPARENT");
    return options;
  }

  // Empty if it is not set.
  std::string Variable(const char* name) const {
    const char* set = environment_(name);
    return set == nullptr ? "" : set;
  }

  // Each option about TLS asks for it.
  std::optional<migration_client::TlsOptions> Tls() const {
    const migration_client::TlsOptions& files = global_.tls_files;
    const bool wanted = global_.tls || !files.ca_file.empty() || !files.cert_file.empty() ||
                        !files.key_file.empty() || !files.server_name.empty();
    if (!wanted) return std::nullopt;
    return files;
  }

  OutputFormat Format() const {
    return global_.output == "json" ? OutputFormat::kJson : OutputFormat::kText;
  }

  ColorMode Color() const {
    if (global_.color == "auto") return ColorMode::kAuto;
    if (global_.color == "always") return ColorMode::kAlways;
    if (global_.color == "never") return ColorMode::kNever;
    Refuse("--color", global_.color, "auto, always or never");
  }

  // --- Commands ---

  // To declare all takes longer than most calls take. No word that is not the name of a command
  // says which commands there are, but for those that ask for help.
  void AddCommands(const std::vector<std::string>& words) {
    const std::pair<absl::string_view, void (Grammar::*)()> commands[] = {
        {"current", &Grammar::AddCurrent},
        {"history", &Grammar::AddHistory},
        {"heads", &Grammar::AddHeads},
        {"branches", &Grammar::AddBranches},
        {"show", &Grammar::AddShow},
        {"wait", &Grammar::AddWait},
        {"check", &Grammar::AddCheck},
        {"verify", &Grammar::AddVerify},
        {"lint", &Grammar::AddLint},
        {"plan", &Grammar::AddPlan},
        {"upgrade", &Grammar::AddUpgrade},
        {"downgrade", &Grammar::AddDowngrade},
        {"stamp", &Grammar::AddStamp},
        {"revision", &Grammar::AddRevision},
        {"merge", &Grammar::AddMerge},
        {"baseline", &Grammar::AddBaseline},
        {"operations", &Grammar::AddOperations},
        {"import", &Grammar::AddImport},
        {"whoami", &Grammar::AddWhoAmI},
        {"audit", &Grammar::AddAudit},
        {"health", &Grammar::AddHealth},
        {"completion", &Grammar::AddCompletion},
        {"version", &Grammar::AddVersion},
        {"help", &Grammar::AddHelp}};
    const auto is_given = [&](const auto& command) {
      return absl::c_linear_search(words, command.first);
    };
    const bool asks_for_help = absl::c_any_of(
        words, [](const auto& word) { return word == "help" || word == "--help" || word == "-h"; });
    const bool adds_all = asks_for_help || absl::c_none_of(commands, is_given);
    for (const auto& command : commands) {
      if (adds_all || is_given(command)) (this->*command.second)();
    }
  }

  // A command that becomes what `make` returns.
  template <typename Make>
  CLI::App* Add(CLI::App* parent, const char* name, const std::string& description,
                const char* group, Make make) {
    CLI::App* command = parent->add_subcommand(name, description);
    command->group(group);
    command->footer(Footer());
    command->callback([this, make] { command_ = make(); });
    return command;
  }

  // Storage for a value that lives as long as the grammar.
  template <typename T>
  std::shared_ptr<T> Value() {
    auto value = std::make_shared<T>();
    storage_.push_back(value);
    return value;
  }

  static constexpr char kGlobalGroup[] = "Global options, before or after the command";
  static constexpr char kRevisions[] = "Revisions";
  static constexpr char kChanges[] = "Changing the database";
  static constexpr char kFiles[] = "Writing migration files";
  static constexpr char kServer[] = "The server";

  static void AddVerbose(CLI::App* command, bool& verbose) {
    command->add_flag("-v,--verbose", verbose, "Everything about each revision");
  }

  void AddCurrent() {
    auto check = Value<bool>();
    auto verbose = Value<bool>();
    CLI::App* command =
        Add(&app_, "current", "Show the revisions that the database is at", kRevisions, [=] {
          return CurrentCommand{*check, *verbose};
        });
    command->add_flag("--check-heads", *check,
                      "Exit with 3 and name what is missing unless the database is at every head");
    AddVerbose(command, *verbose);
  }

  void AddHistory() {
    auto history = Value<HistoryCommand>();
    auto from = Value<std::string>();
    auto format = Value<std::string>();
    CLI::App* command =
        Add(&app_, "history", "List the revisions, newest first", kRevisions, [=, this] {
          HistoryCommand given = *history;
          given.range = Unmarked(given.range);
          given.from = SplitNames(*from);
          given.format = HistoryFormatOf(*format, given.verbose);
          return given;
        });
    command
        ->add_option("-r,--range,--rev-range", history->range,
                     "Only these: a:b, a:, :b; the lower end is included")
        ->option_text("RANGE");
    AddFrom(command, *from);
    command->add_option("--limit", history->limit, "At most this many; default all")
        ->option_text("N")
        ->check(IsCount());
    AddVerbose(command, history->verbose);
    command->add_flag("-i,--indicate-current", history->indicate_current,
                      "Mark the rows of the version table, and in a diagram all that is applied; "
                      "fail if the database does not tell");
    command->add_option("--format", *format, "A listing, or a diagram for a document; default text")
        ->option_text("text|dot|mermaid");
    command->footer(
        Footer("Examples:\n"
               "  migctl history -r base:ae10\n"
               "  migctl history -r -3:current --output json\n"
               "  migctl history --format dot | dot -Tsvg > history.svg"));
  }

  // What --format says. A diagram excludes what is about another kind of output.
  HistoryFormat HistoryFormatOf(const std::string& text, bool verbose) const {
    if (text.empty() || text == "text") return HistoryFormat::kText;
    if (text != "dot" && text != "mermaid") {
      throw CLI::ValidationError(absl::StrCat("--format '", text, "': use text, dot or mermaid"));
    }
    const auto refuse_with = [&](const std::string& other) {
      throw CLI::ValidationError(absl::StrCat("--format ", text, " excludes ", other));
    };
    if (verbose) refuse_with("--verbose");
    if (Format() == OutputFormat::kJson) refuse_with(absl::StrCat(SourceOf("--output"), " json"));
    return text == "dot" ? HistoryFormat::kDot : HistoryFormat::kMermaid;
  }

  void AddFrom(CLI::App* command, std::string& from) {
    command
        ->add_option("--from", from,
                     "Take these revisions, comma-separated, for the rows of the version table; "
                     "no database is asked then")
        ->option_text("REVS")
        ->check(IsNotEmpty());
  }

  void AddHeads() {
    auto resolve = Value<bool>();
    auto verbose = Value<bool>();
    CLI::App* command =
        Add(&app_, "heads", "List the revisions that no other revises", kRevisions, [=] {
          return HeadsCommand{*resolve, *verbose};
        });
    command->add_flag("--resolve-dependencies", *resolve,
                      "Only those on which no other depends either: what `heads` names");
    AddVerbose(command, *verbose);
  }

  void AddBranches() {
    auto verbose = Value<bool>();
    CLI::App* command = Add(&app_, "branches", "List the branch points", kRevisions,
                            [verbose] { return BranchesCommand{*verbose}; });
    AddVerbose(command, *verbose);
  }

  void AddShow() {
    auto revision = Value<std::string>();
    CLI::App* command = Add(&app_, "show", "Show one revision in full", kRevisions,
                            [revision] { return ShowCommand{Unmarked(*revision)}; });
    AddTarget(command, *revision);
  }

  void AddWait() {
    auto revision = Value<std::string>();
    auto patience = Value<std::string>();
    auto require_known = Value<bool>();
    CLI::App* command = Add(
        &app_, "wait", "Wait until the database is at a revision, or beyond it", kRevisions, [=] {
          return WaitCommand{Unmarked(*revision), DurationOf(*patience), *require_known};
        });
    command
        ->add_option("REV", *revision,
                     "A revision, such as head, ae10 or label@head; default heads")
        ->option_text(" ");
    command->add_option("--for", *patience, "How long; 0 looks once; default without end")
        ->option_text("DURATION")
        ->check(IsDuration());
    command->add_flag("--require-known", *require_known,
                      "Exit with 3 if the database is at a revision that no file has, and may or "
                      "may not be beyond REV");
    command->footer(Footer(
        "A gate for what starts: exits with 0 when the database is there, 4 when the time is "
        "over.\nA database or a server that is not there yet is waited for.\n\n"
        "Examples:\n"
        "  migctl wait --for 5m && exec my-service\n"
        "  migctl wait billing@head --for 0"));
  }

  void AddCheck() {
    auto heads = Value<std::vector<std::string>>();
    auto lint = Value<std::string>();
    auto allow_pending = Value<bool>();
    CLI::App* command =
        Add(&app_, "check", "Check that all is well for an upgrade", kRevisions, [=] {
          return CheckCommand{Unmarked(*heads), LintGateOf(*lint), *allow_pending};
        });
    command
        ->add_option("--head", *heads,
                     "The id of a head that there is to be; repeatable; default one, whichever")
        ->option_text("ID")
        ->type_name("REV")
        ->check(IsNotEmpty());
    command->add_option("--lint", *lint, "What lint may fail; default as the server has it")
        ->option_text("error|warn|off")
        ->check(IsLintGate());
    command->add_flag("--allow-pending", *allow_pending, "Pending revisions are no failure");
    command->footer(
        Footer("Exits with 3 if something is not as it should be. For CI, and before a start.\n\n"
               "Examples:\n"
               "  migctl check\n"
               "  migctl check --allow-pending --head 2ff41522b3bc"));
  }

  void AddVerify() {
    auto schemas = Value<std::vector<std::string>>();
    auto ignore = Value<std::vector<std::string>>();
    CLI::App* command =
        Add(&app_, "verify", "Check that the schema is what the files make", kRevisions, [=] {
          return VerifyCommand{Unmarked(*schemas), Unmarked(*ignore)};
        });
    command->add_option("--schema", *schemas, "Only what is in this schema; repeatable")
        ->option_text("NAME")
        ->allow_extra_args(false)
        ->check(IsNotEmpty());
    command
        ->add_option("--ignore", *ignore,
                     "Leave out what has this name, such as audit.* or index:public.tmp_?; "
                     "repeatable")
        ->option_text("PATTERN")
        ->allow_extra_args(false)
        ->check(IsNotEmpty());
    command->footer(
        Footer("Replays the files up to the rows of the version table in a scratch database, and "
               "compares. The database\nitself is only read. Exits with 3 if something differs.\n\n"
               "Examples:\n"
               "  migctl verify\n"
               "  migctl verify --schema billing --ignore 'table:billing.tmp_*'"));
  }

  void AddLint() {
    auto lint = Value<LintCommand>();
    auto format = Value<std::string>();
    CLI::App* command =
        Add(&app_, "lint", "Find what blocks or breaks a live system in migration files",
            kRevisions, [=, this] {
              LintCommand given = *lint;
              given.revisions = Unmarked(given.revisions);
              given.format = LintFormatOf(*format);
              return given;
            });
    CLI::Option* revisions =
        command
            ->add_option("REV", lint->revisions,
                         "Revisions, or ranges a:b; default those that the database does not have, "
                         "or all if it cannot be asked")
            ->option_text("...");
    command->add_flag("--all", lint->all, "All revisions")->option_text(" ")->excludes(revisions);
    command
        ->add_option("--format", *format,
                     "text, json, sarif, or github for annotations in GitHub Actions; default text")
        ->option_text("FORMAT")
        ->type_name("text|json|sarif|github");
    CLI::Option* rules =
        command->add_flag("--rules", lint->lists_rules, "List the rules with their severities");
    CLI::Option* fix =
        command->add_flag("--fix", lint->fix, "Print a diff to the safe form, where there is one");
    rules->option_text(" ")->excludes(fix);
    fix->option_text(" ");
    command->add_flag("--write", lint->write, "With --fix: change the files, too")
        ->option_text(" ")
        ->needs(fix);
    AddMigrations(command, lint->directory,
                  "Where the migration files are here, to show their lines; default ./migrations");
    command->footer(Footer(
        "Exits with 3 if there are errors. A comment above a statement lets a rule pass it:\n"
        "-- lint:allow RULE because REASON\n\n"
        "Examples:\n"
        "  migctl lint\n"
        "  migctl lint ae10: --format github\n"
        "  migctl lint --all --format sarif > lint.sarif\n"
        "  migctl lint --fix --write"));
  }

  // Another format excludes --output json, which is one by itself.
  LintFormat LintFormatOf(const std::string& text) const {
    if (text.empty() || text == "text") return LintFormat::kText;
    if (text == "json") return LintFormat::kJson;
    if (text != "sarif" && text != "github") {
      throw CLI::ValidationError(
          absl::StrCat("--format '", text, "': use text, json, sarif or github"));
    }
    if (Format() == OutputFormat::kJson) {
      throw CLI::ValidationError(
          absl::StrCat("--format ", text, " excludes ", SourceOf("--output"), " json"));
    }
    return text == "sarif" ? LintFormat::kSarif : LintFormat::kGitHub;
  }

  // Of upgrade and downgrade.
  static void AddLintGate(CLI::App* command, RunText& run) {
    CLI::Option* gate =
        command
            ->add_option(
                "--lint", run.lint,
                "Which findings of lint stop it before its first step: errors, none, or do not "
                "look; default as the server has it")
            ->option_text("error|warn|off")
            ->check(IsLintGate());
    // A script is for people to read.
    command->get_option("--sql")->excludes(gate);
  }

  static void AddTarget(CLI::App* command, std::string& target,
                        const char* description = "A revision, such as head, ae10 or label@head") {
    command->add_option("REV", target, description)->option_text(" ")->required();
  }

  static void AddTargets(CLI::App* command, std::vector<std::string>& targets) {
    command->add_option("REV", targets, "Revisions, such as heads, base or ae10")
        ->option_text("...")
        ->required();
  }

  void AddPlan() {
    CLI::App* plan = app_.add_subcommand("plan", "Show the steps that a call would take");
    plan->group(kRevisions);
    plan->require_subcommand(1);
    plan->footer(
        Footer("Examples:\n"
               "  migctl plan upgrade head\n"
               "  migctl plan downgrade -1\n"
               "  migctl plan upgrade head --rehearse\n"
               "  migctl plan upgrade head --from base"));
    AddPlanOf(plan, "upgrade", "Plan an upgrade", migration::v1::ACTION_UPGRADE);
    AddPlanOf(plan, "downgrade", "Plan a downgrade", migration::v1::ACTION_DOWNGRADE);

    auto targets = Value<std::vector<std::string>>();
    auto from = Value<std::string>();
    auto purge = Value<bool>();
    CLI::App* stamp = Add(plan, "stamp", "Plan a stamp", "Calls", [=] {
      return PlanCommand{migration::v1::ACTION_STAMP, Unmarked(*targets), SplitNames(*from),
                         *purge};
    });
    AddTargets(stamp, *targets);
    AddFrom(stamp, *from);
    AddPurge(stamp, *purge);
  }

  void AddPlanOf(CLI::App* plan, const char* name, const char* description, Action action) {
    auto target = Value<std::string>();
    auto from = Value<std::string>();
    auto rehearse = Value<bool>();
    auto one_way = Value<bool>();
    CLI::App* command = Add(plan, name, description, "Calls", [=]() -> Command {
      if (*rehearse) return RehearseCommand{action, Unmarked(*target), *one_way};
      return PlanCommand{action, {Unmarked(*target)}, SplitNames(*from), false};
    });
    AddTarget(command, *target,
              action == migration::v1::ACTION_UPGRADE ? kUpgradeTarget : kDowngradeTarget);
    AddFrom(command, *from);
    CLI::Option* rehearsal = command->add_flag(
        "--rehearse", *rehearse,
        action == migration::v1::ACTION_UPGRADE
            ? "Run it in a scratch copy of the schema, then back and up again; exit code 3 if it "
              "fails, or does not come back to what was there"
            : "Run it in a scratch copy of the schema; exit code 3 if it fails");
    rehearsal->option_text(" ")->excludes("--from");
    if (action != migration::v1::ACTION_UPGRADE) return;
    command->add_flag("--one-way", *one_way, "With --rehearse: not back and up again")
        ->option_text(" ")
        ->needs(rehearsal);
  }

  static CLI::Option* AddPurge(CLI::App* command, bool& purge) {
    return command->add_flag("--purge", purge, "Empty the version table first, whatever is in it")
        ->option_text(" ");
  }

  void AddUpgrade() {
    auto target = Value<std::string>();
    auto run = Value<RunText>();
    auto script = Value<ScriptText>();
    CLI::App* command =
        Add(&app_, "upgrade", "Bring the database up to a revision", kChanges, [=]() -> Command {
          const std::vector<std::string> targets = {Unmarked(*target)};
          if (script->wanted)
            return ScriptOf(migration::v1::ACTION_UPGRADE, targets, *script, *run);
          return UpgradeCommand{targets.front(), SettingsOf(*run)};
        });
    AddTarget(command, *target, kUpgradeTarget);
    AddRunOptions(command, *run);
    AddScript(command, *script);
    AddDecisions(command, *run);
    AddConfirmation(command, *run);
    AddLintGate(command, *run);
    AddBackup(command, *run);
    command
        ->add_option("--accept-checksum", run->accept_checksums,
                     "Accept this revision's file as it is, though it is not what was applied; "
                     "repeatable")
        ->option_text("REV")
        ->check(IsNotEmpty());
    CLI::Option* existing =
        command
            ->add_option(
                "--existing", run->existing,
                "What becomes of a CREATE whose object is there: the upgrade fails, or the "
                "statement is skipped and the object compared; default fail")
            ->option_text("fail|skip")
            ->check(CLI::IsMember({"fail", "skip"}));
    CLI::Option* no_verify = command->add_flag(
        "--no-verify", run->no_verify, "Do not compare skipped objects with what the files make");
    no_verify->option_text(" ");
    command->get_option("--sql")->excludes(existing)->excludes(no_verify);
    command->footer(Footer(absl::StrCat(kOperationFooter,
                                        "\n\nExamples:\n"
                                        "  migctl upgrade head\n"
                                        "  migctl upgrade +2 --lock-timeout 2s\n"
                                        "  migctl upgrade billing@head --database shop\n"
                                        "  migctl upgrade base:head --sql > upgrade.sql")));
  }

  void AddDowngrade() {
    auto target = Value<std::string>();
    auto run = Value<RunText>();
    auto script = Value<ScriptText>();
    CLI::App* command =
        Add(&app_, "downgrade", "Take the database down to a revision; this may delete data",
            kChanges, [=]() -> Command {
              const std::vector<std::string> targets = {Unmarked(*target)};
              if (script->wanted) {
                return ScriptOf(migration::v1::ACTION_DOWNGRADE, targets, *script, *run);
              }
              return DowngradeCommand{targets.front(), SettingsOf(*run)};
            });
    AddTarget(command, *target, kDowngradeTarget);
    AddRunOptions(command, *run);
    AddScript(command, *script);
    AddDecisions(command, *run);
    AddConfirmation(command, *run);
    AddLintGate(command, *run);
    AddBackup(command, *run);
    command->footer(Footer(absl::StrCat(kOperationFooter,
                                        "\n\nExamples:\n"
                                        "  migctl downgrade -1\n"
                                        "  migctl downgrade base\n"
                                        "  migctl downgrade ae10:-1 --sql > downgrade.sql")));
  }

  void AddStamp() {
    auto targets = Value<std::vector<std::string>>();
    auto purge = Value<bool>();
    auto run = Value<RunText>();
    auto script = Value<ScriptText>();
    CLI::App* command =
        Add(&app_, "stamp", "Write the version table without running a migration", kChanges,
            [=]() -> Command {
              if (script->wanted) {
                return ScriptOf(migration::v1::ACTION_STAMP, Unmarked(*targets), *script, *run);
              }
              return StampCommand{Unmarked(*targets), *purge, SettingsOf(*run)};
            });
    AddTargets(command, *targets);
    CLI::Option* purge_option = AddPurge(command, *purge);
    AddRunOptions(command, *run);
    CLI::Option* verify = command->add_flag(
        "--verify", run->verify, "Refuse unless the schema is what the files make up to there");
    CLI::Option* no_verify =
        command->add_flag("--no-verify", run->no_verify, "Do not compare the schema");
    no_verify->excludes(verify)->option_text(" ");
    verify->option_text(" ");
    AddScript(command, *script)->excludes(purge_option)->excludes(verify)->excludes(no_verify);
    command->footer(Footer(absl::StrCat(kOperationFooter,
                                        "\n\nExamples:\n"
                                        "  migctl stamp heads\n"
                                        "  migctl stamp ae10 --verify\n"
                                        "  migctl stamp --purge base\n"
                                        "  migctl stamp base:ae10 --sql > stamp.sql")));
  }

  static ScriptCommand ScriptOf(Action action, const std::vector<std::string>& targets,
                                const ScriptText& script, const RunText& run) {
    return {action, targets, SplitNames(script.from), SettingsOf(run)};
  }

  // What to make of a section outside a transaction that is half done.
  static void AddDecisions(CLI::App* command, RunText& run) {
    CLI::Option* resume = command->add_flag(
        "--resume", run.resume,
        "Run a statement that an earlier run was cut off at, or that has changed since");
    CLI::Option* skip =
        command
            ->add_option("--skip-statement", run.skip_statement,
                         "Take this statement, which an earlier run was cut off at, as done")
            ->option_text("N")
            ->check(IsCount());
    skip->excludes(resume);
    command->get_option("--sql")->excludes(resume)->excludes(skip);
  }

  // That data may be destroyed.
  static void AddConfirmation(CLI::App* command, RunText& run) {
    CLI::Option* confirmation =
        command
            ->add_option("--confirmation", run.confirmation,
                         "Destroy what the plan destroys: the token that the plan or the error "
                         "told, good for that plan only")
            ->option_text("TOKEN")
            ->check(IsNotEmpty());
    CLI::Option* yes = command->add_flag(
        "--yes", run.yes, "Destroy what the plan destroys, whatever it is, without asking");
    yes->option_text(" ")->excludes(confirmation);
    command->get_option("--sql")->excludes(confirmation)->excludes(yes);
  }

  static void AddBackup(CLI::App* command, RunText& run) {
    // A flag that takes a value behind `=` alone: REV may follow it.
    command
        ->add_flag("--backup{always}", run.backup,
                   "Make a backup before the first step: always, or as --backup=MODE says: "
                   "before_destructive, never; the server may demand more")
        ->option_text("[=MODE]")
        ->type_name(Alternatives(BackupModes()))
        ->check(IsOneOf(BackupModes()));
    command
        ->add_option("--backup-verify", run.backup_verify,
                     "How the backup is verified: list (it can be read), or restore (into a "
                     "scratch database, and the rows are counted)")
        ->option_text("HOW")
        ->type_name(Alternatives(BackupVerifications()))
        ->check(IsOneOf(BackupVerifications()));
    command->get_option("--sql")->excludes("--backup")->excludes("--backup-verify");
  }

  // --sql, and what goes only with it.
  static CLI::Option* AddScript(CLI::App* command, ScriptText& script) {
    CLI::Option* sql = command->add_flag(
        "--sql", script.wanted,
        "Print the SQL for psql -X -v ON_ERROR_STOP=1 -f instead, from where the database stands "
        "or, with REV as a:b, from a");
    sql->option_text(" ");
    for (const char* of_calls : {"--request-id", "--mutex-timeout", "--lock-retries",
                                 "--terminate-blockers", "--plan", "--detach"}) {
      sql->excludes(of_calls);
    }
    command
        ->add_option("--from", script.from,
                     "With --sql: begin at these revisions, comma-separated; no database is asked")
        ->option_text("REVS")
        ->check(IsNotEmpty())
        ->needs(sql);
    return sql;
  }

  // --- New migration files ---

  void AddRevision() {
    auto file = Value<FileText>();
    auto head = Value<std::string>();
    auto splice = Value<bool>();
    auto depends_on = Value<std::vector<std::string>>();
    CLI::App* command = Add(&app_, "revision", "Write a new migration file", kFiles, [=] {
      ComposeCommand compose = ComposeOf(*file);
      if (!head->empty()) compose.heads = {Unmarked(*head)};
      compose.splice = *splice;
      compose.depends_on = Unmarked(*depends_on);
      return compose;
    });
    AddFile(command, *file, "What it does, in one line; required")->required();
    command
        ->add_option("--head", *head,
                     "What it revises, such as label@head; base for a new root; default head")
        ->option_text("REV");
    command->add_flag("--splice", *splice,
                      "Allow a --head that is no head: a new branch begins there");
    command
        ->add_option("--depends-on", *depends_on,
                     "A revision or label that must be applied before; may be repeated")
        ->option_text("REV")
        ->allow_extra_args(false);
    command->footer(
        Footer("The file is composed by the server, and saved here.\n\n"
               "Examples:\n"
               "  migctl revision -m \"add invoices\"\n"
               "  migctl revision -m \"billing begins\" --head base --branch-label billing"));
  }

  void AddMerge() {
    auto file = Value<FileText>();
    auto heads = Value<std::vector<std::string>>();
    auto splice = Value<bool>();
    CLI::App* command =
        Add(&app_, "merge", "Write a migration file that merges heads into one", kFiles, [=] {
          ComposeCommand compose = ComposeOf(*file);
          compose.heads = Unmarked(*heads);
          compose.merge = true;
          compose.splice = *splice;
          return compose;
        });
    AddTargets(command, *heads);
    AddFile(command, *file, "What it does, in one line; default what it merges");
    command->add_flag("--splice", *splice, "Allow revisions that are no heads");
    command->footer(
        Footer("The file is composed by the server, and saved here.\n\n"
               "Examples:\n"
               "  migctl merge heads\n"
               "  migctl merge -m \"bring billing back\" ae10 7c20"));
  }

  void AddBaseline() {
    auto file = Value<FileText>();
    CLI::App* command =
        Add(&app_, "baseline", "Write the first migration file, from the schema of the database",
            kFiles, [=]() -> Command {
              const ComposeCommand compose = ComposeOf(*file);
              return BaselineCommand{compose.message, compose.revision, compose.branch_labels,
                                     compose.directory};
            });
    AddFile(command, *file, "What it does, in one line; required")->required();
    command->footer(
        Footer("The file is made by the server with pg_dump, which runs it in a scratch database "
               "and compares the\nschemas; it is saved here. The database is only read.\n\n"
               "Examples:\n"
               "  migctl baseline -m \"the schema as it was\"\n"
               "  migctl stamp head --verify"));
  }

  static ComposeCommand ComposeOf(const FileText& file) {
    ComposeCommand compose;
    compose.message = Unmarked(file.message);
    compose.branch_labels = Unmarked(file.branch_labels);
    compose.revision = Unmarked(file.revision);
    compose.directory = Unmarked(file.directory);
    return compose;
  }

  // What revision and merge have in common. Returns the option of the message.
  CLI::Option* AddFile(CLI::App* command, FileText& file, const char* about_message) {
    CLI::Option* message =
        command->add_option("-m,--message", file.message, about_message)->option_text("TEXT");
    command
        ->add_option("--branch-label", file.branch_labels,
                     "A label for the branch that it begins; may be repeated")
        ->option_text("LABEL")
        ->allow_extra_args(false);
    command->add_option("--rev-id", file.revision, "Its revision id; default 12 random hex digits")
        ->option_text("ID");
    AddMigrations(command, file.directory,
                  "The directory of the migration files; default ./migrations");
    return message;
  }

  // Where this machine has the migration files.
  void AddMigrations(CLI::App* command, std::string& directory, const char* description) {
    directory = "./migrations";
    const char* set = environment_("MIGCTL_MIGRATIONS");
    if (set != nullptr && *set != '\0') directory = set;
    command
        ->add_option("--migrations", directory, absl::StrCat(description, " [MIGCTL_MIGRATIONS]"))
        ->option_text("DIR")
        ->check(IsNotEmpty());
  }

  static void AddRunOptions(CLI::App* command, RunText& run) {
    const auto add_duration = [command](const char* flag, std::string& value,
                                        const char* description) {
      command->add_option(flag, value, description)->option_text("DURATION")->check(IsDuration());
    };
    add_duration("--lock-timeout", run.lock_timeout,
                 "How long a statement may wait for a lock; 0 without end");
    add_duration("--statement-timeout", run.statement_timeout,
                 "How long a statement may run; 0 without end");
    add_duration("--mutex-timeout", run.mutex_timeout,
                 "How long to wait for another migration to end; 0 without end");
    command
        ->add_option("--lock-retries", run.lock_retries,
                     "How often a revision that ran into the lock timeout is tried again")
        ->option_text("N")
        ->check(CLI::Range(0, 100));
    command
        ->add_flag("--terminate-blockers", run.terminate_blockers,
                   "End the sessions that keep a statement waiting, if migd allows it")
        ->option_text(" ");
    command
        ->add_option("--plan", run.plan_hash,
                     "Run the plan with this hash, or whose hash begins so, or nothing")
        ->option_text("HASH")
        ->check(IsNotEmpty());
    command
        ->add_option("--request-id", run.request_id,
                     "Makes the call safe to repeat: the same id attaches to the same operation; "
                     "default a random one")
        ->option_text("UUID")
        ->check(IsRequestId());
    command
        ->add_flag("--detach", run.detach,
                   "Print the operation's id and return as soon as the server has accepted it")
        ->option_text(" ");
  }

  void AddOperations() {
    CLI::App* operations =
        app_.add_subcommand("operations", "List, show, watch or cancel operations");
    operations->group(kChanges);
    operations->require_subcommand(0, 1);
    operations->callback([this, operations] {
      if (operations->get_subcommands().empty()) command_ = ListOperationsCommand();
    });
    operations->footer(
        Footer("Without one of them: list.\n\n"
               "Examples:\n"
               "  migctl operations list --state running,interrupted\n"
               "  migctl operations watch 7k2m\n"
               "  migctl operations watch --database shop"));
    AddListOperations(operations);
    AddWatchOperation(operations);

    auto shown = Value<std::string>();
    AddOperationId(Add(operations, "show", "Show one operation", "Commands",
                       [=] { return ShowOperationCommand{*shown}; }),
                   *shown);
    auto cancelled = Value<std::string>();
    AddOperationId(Add(operations, "cancel", "Ask an operation to stop", "Commands",
                       [=] { return CancelOperationCommand{*cancelled}; }),
                   *cancelled);
  }

  void AddListOperations(CLI::App* operations) {
    auto state = Value<std::string>();
    auto limit = Value<int>();
    *limit = ListOperationsCommand().limit;
    CLI::App* command = Add(operations, "list", "List operations, newest first", "Commands", [=] {
      return ListOperationsCommand{StatesOf(*state), *limit};
    });
    command->add_option("--state", *state, "Only these, comma-separated: running,failed ...")
        ->option_text("STATES")
        ->type_name(Alternatives(StateNames()));
    command->add_option("--limit", *limit, "At most this many; default 20")
        ->option_text("N")
        ->check(IsCount());
  }

  static std::vector<Operation::State> StatesOf(const std::string& text) {
    std::vector<Operation::State> states;
    for (const std::string& name : SplitNames(text)) {
      const auto found = std::find_if(StateNames().begin(), StateNames().end(),
                                      [&name](const auto& pair) { return pair.first == name; });
      if (found == StateNames().end()) {
        throw CLI::ValidationError(
            absl::StrCat("--state '", name,
                         "': use pending, running, interrupted, succeeded, failed or cancelled"));
      }
      states.push_back(found->second);
    }
    return states;
  }

  void AddWatchOperation(CLI::App* operations) {
    auto id = Value<std::string>();
    auto after = Value<int64_t>();
    CLI::App* command =
        Add(operations, "watch",
            "Show the events of an operation until it is over, or those of all", "Commands", [=] {
              return WatchOperationCommand{*id, *after};
            });
    CLI::Option* one =
        command
            ->add_option("OPERATION", *id,
                         "Its id, or the beginning of it; default all, of --database or of all "
                         "databases")
            ->option_text(" ")
            ->check(IsNotEmpty());
    command->add_option("--after", *after, "Only the events after this sequence")
        ->option_text("SEQUENCE")
        ->check(IsSequence())
        ->needs(one);
    command->footer(
        Footer("Ctrl-C leaves the operation running. Without an id it is the only end: a server\n"
               "that goes away is waited for."));
  }

  static void AddOperationId(CLI::App* command, std::string& id) {
    command->add_option("OPERATION", id, "Its id, or the beginning of it")
        ->option_text(" ")
        ->required();
  }

  void AddImport() {
    auto import = Value<ImportCommand>();
    CLI::App* command =
        Add(&app_, "import", "Make migration files of another tool's migrations", kFiles, [import] {
          ImportCommand given = *import;
          given.directory = Unmarked(given.directory);
          given.migrations = Unmarked(given.migrations);
          given.skip = Unmarked(given.skip);
          given.alembic = Unmarked(given.alembic);
          return given;
        });
    command->add_option("PEER", import->peer, "alembic, flyway, golang-migrate, goose or dbmate")
        ->option_text(" ")
        ->type_name(absl::StrJoin(kPeers, "|"))
        ->required()
        ->check(IsPeer());
    command
        ->add_option("DIR", import->directory,
                     "Its directory of migrations; for alembic the one with alembic.ini, or that "
                     "file")
        ->option_text(" ")
        ->required()
        ->check(IsNotEmpty());
    AddMigrations(command, import->migrations,
                  "Where the files go, without any *.sql so far; default ./migrations");
    command
        ->add_option("--skip", import->skip,
                     "Leave this file out; may be given several times. An Alembic script leaves "
                     "a revision that does nothing")
        ->option_text("FILE")
        ->allow_extra_args(false);
    command->add_flag("--dry-run", import->dry_run, "Check everything, write nothing");
    command
        ->add_option("--alembic", import->alembic,
                     "The alembic to run, such as venv/bin/alembic; default the one in the PATH")
        ->option_text("PROGRAM")
        ->check(IsNotEmpty());
    command->footer(Footer(kImportFooter));
  }

  void AddWhoAmI() {
    CLI::App* command = Add(&app_, "whoami", "Show who you are for migd, and what you may do",
                            kServer, [] { return WhoAmICommand(); });
    command->footer(
        Footer("The roles, each with all that those before it may: viewer, operator, destructive,\n"
               "admin."));
  }

  void AddAudit() {
    CLI::App* audit = app_.add_subcommand("audit", "List or verify what was kept of the calls");
    audit->group(kServer);
    audit->require_subcommand(1);
    audit->footer(
        Footer("Examples:\n"
               "  migctl audit list --principal token:deploy -n 10\n"
               "  migctl audit verify --known \"$(cat newest-entry)\""));
    AddListAudit(audit);
    AddVerifyAudit(audit);
  }

  void AddListAudit(CLI::App* audit) {
    auto list = Value<ListAuditCommand>();
    CLI::App* command =
        Add(audit, "list", "List entries, newest first", "Commands", [=] { return *list; });
    command->add_option("--principal", list->principal, "Only those of this caller")
        ->option_text("NAME")
        ->check(IsNotEmpty());
    command->add_option("-n,--limit", list->limit, "At most this many; default 50")
        ->option_text("N")
        ->check(IsCount());
  }

  void AddVerifyAudit(CLI::App* audit) {
    auto known = Value<std::string>();
    CLI::App* command =
        Add(audit, "verify", "Recompute the hashes of all entries", "Commands", [known] {
          VerifyAuditCommand verify;
          if (!known->empty())
            std::tie(verify.known_number, verify.known_hash) = KnownEntry(*known);
          return verify;
        });
    command
        ->add_option("--known", *known,
                     "An entry that an earlier `audit verify` has told as the newest: shows "
                     "whether entries were cut off since")
        ->option_text("NUMBER:HASH");
    command->footer(Footer("Exits with 3 unless all entries are as they were written."));
  }

  static std::pair<int64_t, std::string> KnownEntry(const std::string& text) {
    constexpr size_t kHashDigits = 64;
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
    const std::string hash = absl::AsciiStrToLower(parts.second);
    const bool is_hash = hash.size() == kHashDigits &&
                         std::all_of(hash.begin(), hash.end(),
                                     [](unsigned char c) { return absl::ascii_isxdigit(c); });
    int64_t number = 0;
    if (absl::SimpleAtoi(parts.first, &number) && number > 0 && is_hash) return {number, hash};
    throw CLI::ValidationError(absl::StrCat(
        "--known '", text, "': use the NUMBER:HASH that `audit verify` prints, with all ",
        kHashDigits, " hex digits"));
  }

  void AddHealth() {
    auto service = Value<std::string>();
    CLI::App* command = Add(&app_, "health", "Ask whether the server takes calls", kServer,
                            [service] { return HealthCommand{*service}; });
    command
        ->add_option("SERVICE", *service,
                     "Such as migration.v1.MigrationService; default the server as a whole")
        ->option_text(" ");
    command->footer(
        Footer("Exits with 0 if it does, 3 if it answers that it does not, 4 if it "
               "does not answer."));
  }

  void AddCompletion() {
    auto shell = Value<std::string>();
    CLI::App* command =
        Add(&app_, "completion", "Print the script that completes migctl's command line in a shell",
            kServer, [shell] { return CompletionCommand{*shell}; });
    command->add_option("SHELL", *shell, "bash, zsh or fish")
        ->option_text(" ")
        ->type_name(absl::StrJoin(CompletionShells(), "|"))
        ->required()
        ->check(CLI::IsMember(CompletionShells()));
    command->footer(Footer(
        "Revisions, databases and operations are asked from the server that the command line "
        "names, for a\nsecond at most.\n\n"
        "Examples:\n"
        "  source <(migctl completion bash)\n"
        "  migctl completion zsh > \"${fpath[1]}/_migctl\"\n"
        "  migctl completion fish > ~/.config/fish/completions/migctl.fish"));
  }

  void AddVersion() {
    Add(&app_, "version", "Print the version of migctl", kServer, [] { return VersionCommand{}; });
  }

  void AddHelp() {
    auto of = Value<std::vector<std::string>>();
    CLI::App* command = app_.add_subcommand("help", "Print the help of a command");
    command->group(kServer);
    command->footer(Footer("Examples:\n  migctl help upgrade\n  migctl help operations list"));
    command->callback([this, of] { help_of_ = Unmarked(*of); });
    std::vector<std::string> names;
    for (const CLI::App* other : app_.get_subcommands(nullptr)) names.push_back(other->get_name());
    command
        ->add_option("COMMAND", *of, "Such as upgrade, or operations list; default all of migctl")
        ->option_text("...")
        ->type_name(absl::StrJoin(names, "|"));
  }

  // The help of the command that `words` name.
  HelpText HelpOf(const std::vector<std::string>& words) const {
    const CLI::App* app = &app_;
    std::string names = "migctl";
    for (const std::string& word : words) {
      const auto among = app->get_subcommands(
          [&word](const CLI::App* command) { return command->get_name() == word; });
      if (among.empty()) {
        throw CLI::ValidationError(absl::StrCat(names, " has no command '", Escape(word), "'"));
      }
      app = among.front();
      absl::StrAppend(&names, " ", word);
    }
    // As the command is used, not as `help` is.
    return HelpText{app->get_formatter()->make_help(app, names, CLI::AppFormatMode::Normal)};
  }

  // --- Errors ---

  // The command that was given, as it is typed.
  std::string GivenCommand() const {
    std::string given = "migctl";
    const CLI::App* app = &app_;
    while (!app->get_subcommands().empty()) {
      app = app->get_subcommands().front();
      absl::StrAppend(&given, " ", app->get_name());
    }
    return given;
  }

  UsageError Usage(const CLI::ParseError& error) const {
    UsageError usage;
    usage.message = absl::StrReplaceAll(error.what(), {{std::string(1, kValueMark), ""}});
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
      usage.message = absl::StrCat("not understood: ", ExtraWords());
    } else if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
      usage.message = MissingPart(usage.message);
    }
    usage.hint = absl::StrCat(GivenCommand(), " --help");
    usage.output = Format();
    return usage;
  }

  std::string ExtraWords() const {
    std::string words;
    for (const std::string& word : app_.remaining(true)) {
      absl::StrAppend(&words, words.empty() ? "" : " ", Unmarked(word));
    }
    return words;
  }

  // What a group of commands lacks: the command, or one that it knows.
  std::string MissingPart(const std::string& message) const {
    const std::string given = GivenCommand();
    const bool is_group = given == "migctl" || given == "migctl plan" || given == "migctl audit";
    if (!is_group) return message;
    const std::string words = ExtraWords();
    if (!words.empty()) return absl::StrCat("not understood: ", words);
    if (given == "migctl plan") return "what to plan is missing: upgrade, downgrade or stamp";
    if (given == "migctl audit") return "what to do is missing: list or verify";
    return "no command given";
  }

  CLI::App app_;
  const Environment& environment_;
  GlobalText global_;
  // Which flags got their value from which variable.
  std::vector<std::pair<std::string, std::string>> from_environment_;
  // What the options of the commands are read into.
  std::vector<std::shared_ptr<void>> storage_;
  std::optional<Command> command_;
  // The command that `help` was given, in words; none for all of migctl.
  std::optional<std::vector<std::string>> help_of_;
};

// `migctl __complete -- WORDS...`: no part of the grammar, since WORDS may be any part of it.
bool IsCompletionRequest(const std::vector<std::string>& arguments) {
  return arguments.size() > 2 && arguments[0] == "__complete" && arguments[1] == "--";
}

Invocation ParseCompletionRequest(const std::vector<std::string>& arguments,
                                  const Environment& environment) {
  CompleteCommand complete;
  complete.words.assign(arguments.begin() + 2, arguments.end());
  std::vector<std::string> globals = GlobalOptionsIn(DescribeCommandLine(), complete.words);
  globals.push_back("version");
  const ParsedCommandLine parsed = Grammar(environment).Parse(globals);
  GlobalOptions options;
  if (const auto* understood = std::get_if<Invocation>(&parsed)) {
    options = understood->global;
    complete.may_ask_server = true;
  }
  // The shell waits for the answer, whatever the command would have been told.
  options.output = OutputFormat::kText;
  options.timeout = kCompletionTimeout;
  return {options, complete};
}

}  // namespace

cli::Command DescribeCommandLine() {
  return Grammar([](const char*) { return nullptr; }).Describe();
}

ParsedCommandLine ParseCommandLine(const std::vector<std::string>& arguments,
                                   const Environment& environment) {
  if (IsCompletionRequest(arguments)) return ParseCompletionRequest(arguments, environment);
  return Grammar(environment, arguments).Parse(arguments);
}

}  // namespace migctl
