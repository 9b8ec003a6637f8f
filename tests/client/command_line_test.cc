#include "client/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "client/confirmation.h"
#include "migration_client/request_id.h"

namespace migctl {
namespace {

using migration_client::IsUuid;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

ParsedCommandLine Parse(const std::vector<std::string>& arguments,
                        const std::map<std::string, std::string>& variables = {}) {
  return ParseCommandLine(arguments, [&variables](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

// The command, which must be of type T.
template <typename T>
T ParseAs(const std::vector<std::string>& arguments) {
  const ParsedCommandLine parsed = Parse(arguments);
  if (const auto* usage = std::get_if<UsageError>(&parsed)) {
    ADD_FAILURE() << usage->message;
    return T();
  }
  const Command& command = std::get<Invocation>(parsed).command;
  if (!std::holds_alternative<T>(command)) {
    ADD_FAILURE() << "another command";
    return T();
  }
  return std::get<T>(command);
}

GlobalOptions Globals(const std::vector<std::string>& arguments,
                      const std::map<std::string, std::string>& variables = {}) {
  const ParsedCommandLine parsed = Parse(arguments, variables);
  if (const auto* usage = std::get_if<UsageError>(&parsed)) {
    ADD_FAILURE() << usage->message;
    return GlobalOptions();
  }
  return std::get<Invocation>(parsed).global;
}

UsageError ParseWrong(const std::vector<std::string>& arguments,
                      const std::map<std::string, std::string>& variables = {}) {
  const ParsedCommandLine parsed = Parse(arguments, variables);
  if (!std::holds_alternative<UsageError>(parsed)) {
    ADD_FAILURE() << "was understood";
    return UsageError();
  }
  return std::get<UsageError>(parsed);
}

std::string Help(const std::vector<std::string>& arguments) {
  const ParsedCommandLine parsed = Parse(arguments);
  if (!std::holds_alternative<HelpText>(parsed)) {
    ADD_FAILURE() << "no help";
    return "";
  }
  return std::get<HelpText>(parsed).text;
}

TEST(CommandLine, TakesRelativeRevisionsAsTyped) {
  EXPECT_EQ(ParseAs<DowngradeCommand>({"downgrade", "-1"}).target, "-1");
  EXPECT_EQ(ParseAs<DowngradeCommand>({"downgrade", "-12"}).target, "-12");
  EXPECT_EQ(ParseAs<UpgradeCommand>({"upgrade", "+2"}).target, "+2");
  EXPECT_EQ(ParseAs<DowngradeCommand>({"downgrade", "core@-1"}).target, "core@-1");
  EXPECT_EQ(ParseAs<DowngradeCommand>({"downgrade", "--", "-1"}).target, "-1");
  EXPECT_EQ(ParseAs<ShowCommand>({"show", "-1"}).revision, "-1");
  EXPECT_THAT(ParseAs<PlanCommand>({"plan", "downgrade", "-1"}).targets, ElementsAre("-1"));
  EXPECT_THAT(ParseAs<StampCommand>({"stamp", "-1", "a"}).targets, ElementsAre("-1", "a"));
}

TEST(CommandLine, TakesRangesThatBeginWithAMinus) {
  EXPECT_EQ(ParseAs<HistoryCommand>({"history", "-r", "-3:current"}).range, "-3:current");
  EXPECT_EQ(ParseAs<HistoryCommand>({"history", "-r-3:current"}).range, "-3:current");
  EXPECT_EQ(ParseAs<HistoryCommand>({"history", "--range=-3:"}).range, "-3:");
  EXPECT_EQ(ParseAs<HistoryCommand>({"history", "--rev-range", "a:"}).range, "a:");
  EXPECT_EQ(ParseAs<HistoryCommand>({"history", "-r", "a:b"}).range, "a:b");
}

TEST(CommandLine, TakesARevisionThatIsCalledLikeACommand) {
  EXPECT_EQ(ParseAs<ShowCommand>({"show", "heads"}).revision, "heads");
  EXPECT_EQ(ParseAs<ShowCommand>({"show", "current"}).revision, "current");
  EXPECT_EQ(ParseAs<UpgradeCommand>({"upgrade", "heads"}).target, "heads");
  EXPECT_THAT(ParseAs<PlanCommand>({"plan", "upgrade", "heads"}).targets, ElementsAre("heads"));
  EXPECT_THAT(ParseAs<StampCommand>({"stamp", "heads", "plan"}).targets,
              ElementsAre("heads", "plan"));
}

TEST(CommandLine, LintTakesRevisionsAndFormats) {
  const auto lint = ParseAs<LintCommand>({"lint", "a:b", "-1", "--format", "sarif"});
  EXPECT_THAT(lint.revisions, ElementsAre("a:b", "-1"));
  EXPECT_EQ(lint.format, LintFormat::kSarif);
  EXPECT_EQ(lint.directory, "./migrations");
  EXPECT_TRUE(ParseAs<LintCommand>({"lint", "--all"}).all);
  EXPECT_TRUE(ParseAs<LintCommand>({"lint", "--fix", "--write"}).write);
  EXPECT_EQ(ParseWrong({"lint", "--format", "xml"}).message,
            "--format 'xml': use text, json, sarif or github");
  EXPECT_EQ(ParseWrong({"lint", "--format", "sarif", "--output", "json"}).message,
            "--format sarif excludes --output json");
  ParseWrong({"lint", "--write"});
  ParseWrong({"lint", "--all", "a"});
  ParseWrong({"lint", "--rules", "--fix"});
}

TEST(CommandLine, TheGateOfLintIsChosenByTheCall) {
  EXPECT_EQ(ParseAs<UpgradeCommand>({"upgrade", "head"}).run.lint,
            migration::v1::LINT_GATE_UNSPECIFIED);
  EXPECT_EQ(ParseAs<UpgradeCommand>({"upgrade", "head", "--lint=warn"}).run.lint,
            migration::v1::LINT_GATE_WARN);
  EXPECT_EQ(ParseAs<DowngradeCommand>({"downgrade", "-1", "--lint", "off"}).run.lint,
            migration::v1::LINT_GATE_OFF);
  EXPECT_EQ(ParseWrong({"upgrade", "head", "--lint=maybe"}).message,
            "--lint: 'maybe' is none of error, warn and off");
}

TEST(CommandLine, SplitsTheRevisionsOfFromAtCommasOnly) {
  const auto plan = ParseAs<PlanCommand>({"plan", "upgrade", "--from", "a,b", "head"});
  EXPECT_THAT(plan.from, ElementsAre("a", "b"));
  EXPECT_THAT(plan.targets, ElementsAre("head"));
  EXPECT_EQ(plan.action, migration::v1::ACTION_UPGRADE);
}

TEST(CommandLine, RevisionsOfFromMayHaveSpaceAroundThemButMustBeSome) {
  EXPECT_THAT(ParseAs<HistoryCommand>({"history", "--from", " a, b "}).from, ElementsAre("a", "b"));
  for (const std::vector<std::string>& command : {std::vector<std::string>{"history"},
                                                  {"plan", "upgrade", "head"},
                                                  {"upgrade", "head", "--sql"}}) {
    std::vector<std::string> words = command;
    words.insert(words.end(), {"--from", ""});
    EXPECT_EQ(ParseWrong(words).message, "--from: is empty");
  }
}

TEST(CommandLine, ReadsEveryCommand) {
  EXPECT_TRUE(ParseAs<CurrentCommand>({"current", "--check-heads"}).check_heads);
  EXPECT_FALSE(ParseAs<CurrentCommand>({"current"}).check_heads);
  EXPECT_EQ(ParseAs<HistoryCommand>({"history", "--limit", "7"}).limit, 7);
  EXPECT_FALSE(ParseAs<HeadsCommand>({"heads"}).resolve_dependencies);
  EXPECT_TRUE(ParseAs<HeadsCommand>({"heads", "--resolve-dependencies"}).resolve_dependencies);
  ParseAs<BranchesCommand>({"branches"});
  EXPECT_TRUE(ParseAs<PlanCommand>({"plan", "stamp", "--purge", "base"}).purge);
  EXPECT_TRUE(ParseAs<StampCommand>({"stamp", "base", "--purge"}).purge);
  EXPECT_THAT(
      ParseAs<ListOperationsCommand>({"operations", "list", "--state", "running,failed"}).states,
      ElementsAre(migration::v1::Operation::STATE_RUNNING, migration::v1::Operation::STATE_FAILED));
  EXPECT_EQ(ParseAs<ShowOperationCommand>({"operations", "show", "7k"}).operation, "7k");
  EXPECT_EQ(
      ParseAs<WatchOperationCommand>({"operations", "watch", "7k", "--after", "3"}).after_sequence,
      3);
  EXPECT_EQ(ParseAs<CancelOperationCommand>({"operations", "cancel", "7k"}).operation, "7k");
  EXPECT_EQ(ParseAs<HealthCommand>({"health"}).service, "");
  EXPECT_EQ(ParseAs<HealthCommand>({"health", "migration.v1.MigrationService"}).service,
            "migration.v1.MigrationService");
  ParseAs<VersionCommand>({"version"});
}

TEST(CommandLine, WithSqlACallBecomesItsScript) {
  const auto up = ParseAs<ScriptCommand>({"upgrade", "a:+2", "--sql", "--lock-timeout", "3s"});
  EXPECT_EQ(up.action, migration::v1::ACTION_UPGRADE);
  EXPECT_THAT(up.targets, ElementsAre("a:+2"));
  EXPECT_EQ(up.run.lock_timeout, absl::Seconds(3));
  const auto down = ParseAs<ScriptCommand>({"downgrade", "-1", "--sql", "--from", "a,b"});
  EXPECT_EQ(down.action, migration::v1::ACTION_DOWNGRADE);
  EXPECT_THAT(down.targets, ElementsAre("-1"));
  EXPECT_THAT(down.from, ElementsAre("a", "b"));
  const auto stamp = ParseAs<ScriptCommand>({"stamp", "--sql", "a", "b"});
  EXPECT_EQ(stamp.action, migration::v1::ACTION_STAMP);
  EXPECT_THAT(stamp.targets, ElementsAre("a", "b"));
}

TEST(CommandLine, WhatGoesNotWithSqlIsRefused) {
  EXPECT_THAT(ParseWrong({"upgrade", "head", "--from", "a"}).message, HasSubstr("--sql"));
  EXPECT_THAT(ParseWrong({"stamp", "head", "--sql", "--purge"}).message, HasSubstr("--purge"));
  EXPECT_THAT(ParseWrong({"upgrade", "head", "--sql", "--mutex-timeout", "1s"}).message,
              HasSubstr("--mutex-timeout"));
}

TEST(CommandLine, ReadsNewRevisions) {
  const auto revision = ParseAs<ComposeCommand>(
      {"revision", "-m", "add x", "--head", "core@head", "--splice", "--branch-label", "a",
       "--branch-label", "b", "--depends-on", "c", "--depends-on", "d", "--rev-id", "7c20"});
  EXPECT_EQ(revision.message, "add x");
  EXPECT_THAT(revision.heads, ElementsAre("core@head"));
  EXPECT_TRUE(revision.splice);
  EXPECT_FALSE(revision.merge);
  EXPECT_THAT(revision.branch_labels, ElementsAre("a", "b"));
  EXPECT_THAT(revision.depends_on, ElementsAre("c", "d"));
  EXPECT_EQ(revision.revision, "7c20");
  EXPECT_EQ(revision.directory, "./migrations");

  const auto merge = ParseAs<ComposeCommand>({"merge", "a", "b", "--migrations", "m"});
  EXPECT_TRUE(merge.merge);
  EXPECT_THAT(merge.heads, ElementsAre("a", "b"));
  EXPECT_EQ(merge.directory, "m");

  EXPECT_THAT(ParseWrong({"revision"}).message, HasSubstr("--message is required"));
  EXPECT_THAT(ParseWrong({"merge"}).message, HasSubstr("REV is required"));
}

TEST(CommandLine, ANewRevisionMayBeginWithAMinusAndADigit) {
  const auto revision =
      ParseAs<ComposeCommand>({"revision", "-m", "-1 is no id", "--rev-id", "-2", "--branch-label",
                               "-3", "--depends-on", "-4", "--migrations", "-5"});
  EXPECT_EQ(revision.message, "-1 is no id");
  EXPECT_EQ(revision.revision, "-2");
  EXPECT_THAT(revision.branch_labels, ElementsAre("-3"));
  EXPECT_THAT(revision.depends_on, ElementsAre("-4"));
  EXPECT_EQ(revision.directory, "-5");
}

TEST(CommandLine, ADirectoryIsNotEmpty) {
  for (const char* command : {"revision", "merge", "import"}) {
    EXPECT_EQ(ParseWrong({command, "--migrations", ""}).message, "--migrations: is empty");
  }
  EXPECT_EQ(ParseWrong({"import", "goose", ""}).message, "DIR: is empty");
}

TEST(CommandLine, TheDirectoryOfNewFilesIsTakenFromTheEnvironment) {
  const ParsedCommandLine parsed = Parse({"merge", "heads"}, {{"MIGCTL_MIGRATIONS", "elsewhere"}});
  const auto& command = std::get<Invocation>(parsed).command;
  EXPECT_EQ(std::get<ComposeCommand>(command).directory, "elsewhere");
  const ParsedCommandLine import =
      Parse({"import", "goose", "db"}, {{"MIGCTL_MIGRATIONS", "elsewhere"}});
  EXPECT_EQ(std::get<ImportCommand>(std::get<Invocation>(import).command).migrations, "elsewhere");
}

TEST(CommandLine, TakesAlembicsFlagsOfTheListings) {
  EXPECT_TRUE(ParseAs<CurrentCommand>({"current", "-v"}).verbose);
  EXPECT_TRUE(ParseAs<HeadsCommand>({"heads", "--verbose"}).verbose);
  EXPECT_TRUE(ParseAs<BranchesCommand>({"branches", "-v"}).verbose);
  const auto history = ParseAs<HistoryCommand>({"history", "-v", "-i", "-r", "a:"});
  EXPECT_TRUE(history.verbose);
  EXPECT_TRUE(history.indicate_current);
  EXPECT_EQ(history.range, "a:");
  EXPECT_FALSE(ParseAs<HistoryCommand>({"history"}).verbose);
  EXPECT_FALSE(ParseAs<HistoryCommand>({"history"}).indicate_current);
}

TEST(CommandLine, KnowsTheFormatsOfAHistory) {
  EXPECT_EQ(ParseAs<HistoryCommand>({"history"}).format, HistoryFormat::kText);
  EXPECT_EQ(ParseAs<HistoryCommand>({"history", "-v", "--format", "text"}).format,
            HistoryFormat::kText);
  EXPECT_EQ(ParseAs<HistoryCommand>({"history", "--format=dot"}).format, HistoryFormat::kDot);
  EXPECT_EQ(ParseAs<HistoryCommand>({"history", "--format", "mermaid"}).format,
            HistoryFormat::kMermaid);
  EXPECT_EQ(ParseWrong({"history", "--format", "svg"}).message,
            "--format 'svg': use text, dot or mermaid");
}

TEST(CommandLine, RefusesADiagramInAnotherKindOfOutput) {
  EXPECT_THAT(ParseWrong({"history", "--format", "dot", "-v"}).message,
              StartsWith("--format dot excludes --verbose"));
  EXPECT_THAT(ParseWrong({"history", "--format", "dot", "--output", "json"}).message,
              StartsWith("--format dot excludes --output json"));
  EXPECT_THAT(ParseWrong({"history", "--format", "mermaid"}, {{"MIGCTL_OUTPUT", "json"}}).message,
              StartsWith("--format mermaid excludes MIGCTL_OUTPUT json"));
}

TEST(CommandLine, ReadsTheOptionsOfARun) {
  const RunSettings run =
      ParseAs<UpgradeCommand>({"upgrade", "head", "--lock-timeout", "2s", "--statement-timeout",
                               "5m", "--mutex-timeout", "0", "--request-id",
                               "0b9c5d0e-3f0a-4c8e-9d53-6f1f8a3c2b71"})
          .run;
  EXPECT_EQ(run.lock_timeout, absl::Seconds(2));
  EXPECT_EQ(run.statement_timeout, absl::Minutes(5));
  EXPECT_EQ(run.mutex_timeout, absl::ZeroDuration());
  EXPECT_EQ(run.request_id, "0b9c5d0e-3f0a-4c8e-9d53-6f1f8a3c2b71");
}

TEST(CommandLine, TakesADecisionAboutAStatementInQuestion) {
  EXPECT_TRUE(ParseAs<UpgradeCommand>({"upgrade", "head", "--resume"}).run.resume);
  EXPECT_EQ(
      ParseAs<DowngradeCommand>({"downgrade", "-1", "--skip-statement", "3"}).run.skip_statement,
      3);
  EXPECT_FALSE(ParseAs<UpgradeCommand>({"upgrade", "head"}).run.resume);
}

TEST(CommandLine, RefusesADecisionWhereThereIsNothingToDecide) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"upgrade", "head", "--resume", "--skip-statement", "3"},
        {"upgrade", "head", "--skip-statement", "0"},
        {"upgrade", "head", "--sql", "--resume"},
        {"stamp", "head", "--resume"}}) {
    EXPECT_NE(ParseWrong(arguments).message, "");
  }
}

TEST(CommandLine, LeavesTimeoutsThatAreNotGivenToTheServer) {
  const RunSettings run = ParseAs<DowngradeCommand>({"downgrade", "base"}).run;
  EXPECT_FALSE(run.lock_timeout.has_value());
  EXPECT_FALSE(run.statement_timeout.has_value());
  EXPECT_FALSE(run.mutex_timeout.has_value());
}

TEST(CommandLine, MakesARequestIdOfItsOwnForEachCall) {
  const std::string first = ParseAs<UpgradeCommand>({"upgrade", "head"}).run.request_id;
  const std::string second = ParseAs<UpgradeCommand>({"upgrade", "head"}).run.request_id;
  EXPECT_TRUE(IsUuid(first)) << first;
  EXPECT_EQ(first[14], '4') << first;
  EXPECT_NE(first, second);
}

TEST(CommandLine, TakesGlobalOptionsBeforeAndAfterTheCommand) {
  const std::vector<std::vector<std::string>> placements = {
      {"--server", "unix:/run/migd", "--output", "json", "plan", "upgrade", "head"},
      {"plan", "--server", "unix:/run/migd", "upgrade", "--output=json", "head"},
      {"plan", "upgrade", "head", "--output", "json", "--server=unix:/run/migd"}};
  for (const auto& arguments : placements) {
    const GlobalOptions globals = Globals(arguments);
    EXPECT_EQ(globals.server, "unix:/run/migd");
    EXPECT_EQ(globals.output, OutputFormat::kJson);
  }
}

TEST(CommandLine, HasDefaultsForGlobalOptions) {
  const GlobalOptions globals = Globals({"current"});
  EXPECT_EQ(globals.server, "127.0.0.1:7433");
  EXPECT_EQ(globals.database, "");
  EXPECT_EQ(globals.output, OutputFormat::kText);
  EXPECT_EQ(globals.color, ColorMode::kAuto);
  EXPECT_FALSE(globals.timeout.has_value());
}

TEST(CommandLine, TakesGlobalOptionsFromTheEnvironment) {
  const GlobalOptions globals = Globals({"current"}, {{"MIGCTL_SERVER", "db:1"},
                                                      {"MIGCTL_DATABASE", "core"},
                                                      {"MIGCTL_OUTPUT", "json"},
                                                      {"MIGCTL_TIMEOUT", "3s"},
                                                      {"MIGCTL_COLOR", "never"}});
  EXPECT_EQ(globals.server, "db:1");
  EXPECT_EQ(globals.database, "core");
  EXPECT_EQ(globals.output, OutputFormat::kJson);
  EXPECT_EQ(globals.timeout, absl::Seconds(3));
  EXPECT_EQ(globals.color, ColorMode::kNever);
}

TEST(CommandLine, PrefersTheCommandLineToTheEnvironment) {
  EXPECT_EQ(Globals({"current", "--server", "a:1"}, {{"MIGCTL_SERVER", "b:1"}}).server, "a:1");
}

TEST(ParseCommandLine, EachOptionAboutTlsAsksForIt) {
  EXPECT_FALSE(Globals({"current"}).tls.has_value());
  EXPECT_TRUE(Globals({"current", "--tls"}).tls.has_value());
  EXPECT_FALSE(Globals({"current"}, {{"MIGCTL_TLS", "0"}}).tls.has_value());
  EXPECT_TRUE(Globals({"current"}, {{"MIGCTL_TLS", "1"}}).tls->ca_file.empty());
  EXPECT_EQ(Globals({"current", "--tls-ca", "ca.pem"}).tls->ca_file, "ca.pem");
  const auto tls = Globals({"current"}, {{"MIGCTL_TLS_CERT", "c"},
                                         {"MIGCTL_TLS_KEY", "k"},
                                         {"MIGCTL_TLS_SERVER_NAME", "migd"}})
                       .tls;
  ASSERT_TRUE(tls.has_value());
  EXPECT_EQ(tls->cert_file, "c");
  EXPECT_EQ(tls->key_file, "k");
  EXPECT_EQ(tls->server_name, "migd");
}

TEST(ParseCommandLine, ATokenFileOnTheCommandLineComesBeforeATokenInTheEnvironment) {
  const std::map<std::string, std::string> variables = {{"MIGCTL_TOKEN", "t"}};
  EXPECT_EQ(Globals({"current"}, variables).token, "t");
  const GlobalOptions both = Globals({"current", "--token-file", "f"}, variables);
  EXPECT_EQ(both.token_file, "f");
  EXPECT_EQ(both.token, "");
}

TEST(ParseCommandLine, TheTraceComesFromTheEnvironment) {
  EXPECT_EQ(Globals({"current"}, {{"TRACEPARENT", "00-a"}}).traceparent, "00-a");
  EXPECT_EQ(
      Globals({"current"}, {{"TRACEPARENT", "00-a"}, {"MIGCTL_TRACEPARENT", "00-b"}}).traceparent,
      "00-b");
}

TEST(ParseCommandLine, AKnownEntryOfTheAuditIsANumberAndAHash) {
  const std::string hash(64, 'a');
  const auto verify = ParseAs<VerifyAuditCommand>({"audit", "verify", "--known", "12:" + hash});
  EXPECT_EQ(verify.known_number, 12);
  EXPECT_EQ(verify.known_hash, hash);
  for (const std::string& wrong :
       {std::string("12"), std::string("12:"), ":" + hash, "0:" + hash, "x:" + hash,
        "12:" + hash + "b", "12:" + hash.substr(1), "12:" + hash.substr(1) + "g"}) {
    const auto parsed = Parse({"audit", "verify", "--known", wrong});
    EXPECT_TRUE(std::holds_alternative<UsageError>(parsed)) << wrong;
  }
}

TEST(CommandLine, TakesAnEmptyVariableForUnset) {
  EXPECT_EQ(Globals({"current"}, {{"MIGCTL_OUTPUT", ""}}).output, OutputFormat::kText);
}

TEST(CommandLine, NamesWhereAWrongValueComesFrom) {
  EXPECT_EQ(ParseWrong({"current", "--output", "xml"}).message, "--output 'xml': use text or json");
  EXPECT_EQ(ParseWrong({"current"}, {{"MIGCTL_OUTPUT", "xml"}}).message,
            "MIGCTL_OUTPUT 'xml': use text or json");
  EXPECT_THAT(ParseWrong({"current", "--timeout", "5"}).message, HasSubstr("--timeout '5'"));
  EXPECT_THAT(ParseWrong({"current", "--timeout", "0"}).message, HasSubstr("--timeout '0'"));
  EXPECT_THAT(ParseWrong({"current", "--color", "red"}).message,
              HasSubstr("auto, always or never"));
}

TEST(CommandLine, SaysWhatItDoesNotUnderstandAndWhereToLookItUp) {
  EXPECT_EQ(ParseWrong({"frob"}).message, "not understood: frob");
  EXPECT_EQ(ParseWrong({"frob"}).hint, "migctl --help");
  EXPECT_EQ(ParseWrong({"upgrade", "a", "b"}).message, "not understood: b");
  EXPECT_EQ(ParseWrong({"upgrade", "a", "b"}).hint, "migctl upgrade --help");
  EXPECT_EQ(ParseWrong({"upgrade", "a", "--frob"}).message, "not understood: --frob");
  EXPECT_EQ(ParseWrong({"plan", "upgrade", "a", "-2"}).message, "not understood: -2");
  EXPECT_EQ(ParseWrong({"plan", "upgrade", "a", "-2"}).hint, "migctl plan upgrade --help");
}

TEST(CommandLine, SaysWhatIsMissing) {
  EXPECT_EQ(ParseWrong({}).message, "no command given");
  EXPECT_EQ(ParseWrong({"upgrade"}).message, "REV is required");
  EXPECT_THAT(ParseWrong({"plan"}).message, HasSubstr("upgrade, downgrade or stamp"));
  EXPECT_EQ(ParseWrong({"operations", "frob"}).message, "not understood: frob");
}

TEST(CommandLine, RefusesValuesThatMeanNothing) {
  EXPECT_EQ(ParseWrong({"upgrade", "a", "--lock-timeout", "soon"}).message,
            "--lock-timeout: 'soon' is no duration: write 2s, 500ms, 5m or 0");
  EXPECT_EQ(ParseWrong({"upgrade", "a", "--request-id", "7"}).message,
            "--request-id: '7' is no UUID");
  EXPECT_EQ(ParseWrong({"history", "--limit", "-5"}).message,
            "--limit: '-5' is no number from 1 on");
  EXPECT_THAT(ParseWrong({"operations", "list", "--state", "lost"}).message,
              HasSubstr("--state 'lost'"));
}

TEST(CommandLine, RefusesWhatIsNotUtf8) {
  EXPECT_EQ(ParseWrong({"upgrade", "caf\xE9"}).message, "'caf\\xe9' is not UTF-8");
  EXPECT_EQ(ParseWrong({"current", "--database", "\xff"}).message, "'\\xff' is not UTF-8");
  EXPECT_EQ(ParseAs<ShowCommand>({"show", "café"}).revision, "café");
}

TEST(CommandLine, ReportsUsageErrorsInTheFormatThatWasAskedFor) {
  EXPECT_EQ(ParseWrong({"frob", "--output", "json"}).output, OutputFormat::kJson);
  EXPECT_EQ(ParseWrong({"frob"}, {{"MIGCTL_OUTPUT", "json"}}).output, OutputFormat::kJson);
  EXPECT_EQ(ParseWrong({"frob"}).output, OutputFormat::kText);
}

TEST(CommandLine, ReadsAnImport) {
  const auto import = ParseAs<ImportCommand>({"import", "--skip", "a.sql", "flyway", "db", "--skip",
                                              "b.sql", "--dry-run", "--migrations", "new"});
  EXPECT_EQ(import.peer, "flyway");
  EXPECT_EQ(import.directory, "db");
  EXPECT_EQ(import.migrations, "new");
  EXPECT_THAT(import.skip, ElementsAre("a.sql", "b.sql"));
  EXPECT_TRUE(import.dry_run);
  EXPECT_EQ(import.alembic, "alembic");
  EXPECT_EQ(ParseAs<ImportCommand>({"import", "goose", "."}).migrations, "./migrations");
}

TEST(CommandLine, NamesThePeersThatCanBeImported) {
  EXPECT_EQ(ParseWrong({"import", "rails", "db"}).message,
            "PEER: 'rails' is not known: use alembic, flyway, golang-migrate, goose or dbmate");
  EXPECT_EQ(ParseWrong({"import", "goose"}).message, "DIR is required");
  EXPECT_THAT(Help({"import", "--help"}), HasSubstr("migctl import alembic ."));
}

TEST(CommandLine, ExplainsItself) {
  const std::string help = Help({"--help"});
  for (const char* expected :
       {"upgrade", "MIGCTL_SERVER", "Exit codes:", "130", "migctl downgrade -1", "Revisions:"}) {
    EXPECT_THAT(help, HasSubstr(expected));
  }
  EXPECT_THAT(Help({"--version"}), StartsWith("migctl "));
  EXPECT_THAT(Help({"upgrade", "--help"}), HasSubstr("--lock-timeout"));
  EXPECT_THAT(Help({"plan", "stamp", "-h"}), HasSubstr("--purge"));
  for (const char* command : {"upgrade", "downgrade", "stamp", "lint", "wait"}) {
    EXPECT_THAT(Help({command, "--help"}),
                AllOf(Not(HasSubstr("Excludes")), Not(HasSubstr("Needs")), Not(HasSubstr("INT")),
                      Not(HasSubstr("{"))))
        << command;
  }
  EXPECT_THAT(Help({"downgrade", "--help"}), Not(HasSubstr("+2")));
  EXPECT_THAT(Help({"operations", "watch", "--help"}), HasSubstr("leaves the operation running"));
}

TEST(CommandLine, HelpTakesACommand) {
  EXPECT_EQ(Help({"help"}), Help({"--help"}));
  EXPECT_EQ(Help({"help", "upgrade"}), Help({"upgrade", "--help"}));
  EXPECT_EQ(Help({"help", "operations", "watch"}), Help({"operations", "watch", "--help"}));
  EXPECT_EQ(ParseWrong({"help", "operations", "frob"}).message,
            "migctl operations has no command 'frob'");
}

TEST(CommandLine, OperationsAloneListsThem) {
  EXPECT_EQ(ParseAs<ListOperationsCommand>({"operations"}).limit, ListOperationsCommand().limit);
  EXPECT_EQ(ParseAs<ListOperationsCommand>({"operations", "list", "--limit", "3"}).limit, 3);
  EXPECT_EQ(ParseAs<ShowOperationCommand>({"operations", "show", "7k2m"}).operation, "7k2m");
}

// --- wait, --detach, watching all ---

TEST(CommandLine, WaitTakesARevisionAndHowLong) {
  const auto plain = ParseAs<WaitCommand>({"wait"});
  EXPECT_EQ(plain.revision, "");
  EXPECT_FALSE(plain.patience.has_value());
  EXPECT_FALSE(plain.require_known);
  const auto wait = ParseAs<WaitCommand>({"wait", "core@head", "--for=5m", "--require-known"});
  EXPECT_EQ(wait.revision, "core@head");
  EXPECT_EQ(wait.patience, absl::Minutes(5));
  EXPECT_TRUE(wait.require_known);
  EXPECT_EQ(ParseAs<WaitCommand>({"wait", "--for", "0"}).patience, absl::ZeroDuration());
  EXPECT_EQ(ParseAs<WaitCommand>({"wait", "-1"}).revision, "-1");
  EXPECT_THAT(ParseWrong({"wait", "--for", "soon"}).message, HasSubstr("'soon' is no duration"));
}

TEST(CommandLine, TakesAPlanAndItsConfirmation) {
  EXPECT_EQ(ParseAs<StampCommand>({"stamp", "head", "--plan", "5e1f"}).run.plan_hash, "5e1f");
  const RunSettings run =
      ParseAs<DowngradeCommand>({"downgrade", "-1", "--plan", "5e1f", "--yes"}).run;
  EXPECT_EQ(run.plan_hash, "5e1f");
  EXPECT_TRUE(run.yes);
  EXPECT_EQ(ParseAs<UpgradeCommand>({"upgrade", "head", "--confirmation", "ab12"}).run.confirmation,
            "ab12");
}

TEST(ConfirmedRequestId, IsAnotherAndAlwaysTheSame) {
  const std::string id = "0b9c5d0e-3f0a-4c8e-9d53-6f1f8a3c2b71";
  const std::string confirmed = ConfirmedRequestId(id, "0c18f7484ab9cd17c6a315a5");
  EXPECT_NE(confirmed, id);
  EXPECT_EQ(confirmed, ConfirmedRequestId(id, "0c18f7484ab9cd17c6a315a5"));
  EXPECT_NE(confirmed, ConfirmedRequestId(id, "1c18f7484ab9cd17c6a315a5"));
  EXPECT_TRUE(IsUuid(confirmed));
}

TEST(CommandLine, DetachIsForCalls) {
  EXPECT_TRUE(ParseAs<UpgradeCommand>({"upgrade", "head", "--detach"}).run.detach);
  EXPECT_TRUE(ParseAs<DowngradeCommand>({"downgrade", "-1", "--detach"}).run.detach);
  EXPECT_TRUE(ParseAs<StampCommand>({"stamp", "head", "--detach"}).run.detach);
  EXPECT_FALSE(ParseAs<UpgradeCommand>({"upgrade", "head"}).run.detach);
  EXPECT_THAT(ParseWrong({"upgrade", "head", "--sql", "--detach"}).message, HasSubstr("--detach"));
}

TEST(CommandLine, WatchWithoutAnIdWatchesAll) {
  EXPECT_EQ(ParseAs<WatchOperationCommand>({"operations", "watch"}).operation, "");
  EXPECT_EQ(ParseAs<WatchOperationCommand>({"operations", "watch", "7k2m"}).operation, "7k2m");
  EXPECT_THAT(ParseWrong({"operations", "watch", ""}).message, HasSubstr("is empty"));
  EXPECT_THAT(ParseWrong({"operations", "watch", "--after", "3"}).message, HasSubstr("OPERATION"));
  EXPECT_THAT(ParseWrong({"operations", "watch", "7k", "--after", "x"}).message,
              HasSubstr("'x' is no number from 0 on"));
}

}  // namespace
}  // namespace migctl
