#include "service/flags.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "service/hash_token.h"
#include "service/version.h"

namespace migd {
namespace {

constexpr char kFooter[] = R"(
Where the databases are: give one of --database, --embedded, --config and
--offline, or set PGHOST, PGDATABASE and so on as for psql.

Every flag can be set in the environment: --lock-timeout is MIGD_LOCK_TIMEOUT.

Examples:
  migd --embedded ./data
  migd --database postgresql://app@db.internal/core --migrations ./migrations
  migd --config migd.yaml --listen unix:/run/migd/migd.sock
  migd hash-token deploy --new deploy.token >> tokens

Exit codes: 0 stopped as asked, 1 could not start, 2 usage.)";

CLI::Option* AddDuration(CLI::App& app, const std::string& flag, absl::Duration& into,
                         const std::string& description) {
  return app
      .add_option_function<std::string>(
          flag,
          [flag, &into](const std::string& text) {
            if (ParseTimeout(text, into)) return;
            throw CLI::ValidationError(
                flag, absl::StrCat("\"", text, "\" is no duration; write 500ms, 2s, 5m or 0"));
          },
          description)
      ->type_name("DURATION")
      ->default_str(absl::FormatDuration(into));
}

bool HasPostgresEnvironment() {
  for (const char* name : {"PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE", "PGUSER"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return false;
}

// CLI11's own, without the environment variable at each flag: the footer has the rule.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text = option->get_type_name().empty() ? "" : " " + option->get_type_name();
    if (!option->get_default_str().empty()) text += " [" + option->get_default_str() + "]";
    return text;
  }
};

// The flags that say where the databases are; one of them is given.
bool IsSource(absl::string_view name) {
  return name == "database" || name == "embedded" || name == "config" || name == "offline";
}

bool IsSourceTyped(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (!absl::ConsumePrefix(&argument, "--")) continue;
    if (IsSource(argument.substr(0, argument.find('=')))) return true;
  }
  return false;
}

// Every flag from the environment, by the one rule. A source that is typed stands for all of them:
// `migd --offline` works where MIGD_DATABASE is set.
void NameEnvironment(CLI::App& app, bool source_is_typed) {
  for (CLI::Option* option : app.get_options()) {
    std::string name = option->get_single_name();
    if (name == "help" || name == "version") continue;
    if (source_is_typed && IsSource(name)) continue;
    for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::toupper(c));
    option->envname(absl::StrCat("MIGD_", name));
  }
}

// A command line that cannot be served.
CommandLine Mistaken(absl::string_view problem) { return {absl::nullopt, 2, std::string(problem)}; }

using Look = std::function<void(const CLI::App&)>;

// Declares the flags, and reads the command line with them; or only shows them, if there is a
// `look`.
CommandLine ReadOrShow(int argc, const char* const* argv, const Look& look) {
  Config config;
  DatabaseConfig database;
  EmbeddedConfig embedded;
  TlsOptions tls;
  std::string config_file;

  CLI::App app("migd owns the schema migrations of PostgreSQL databases and serves them by gRPC.",
               "migd");
  app.footer(kFooter);
  app.formatter(std::make_shared<HelpFormatter>());
  app.get_formatter()->column_width(34);
  app.set_version_flag("--version", absl::StrCat("migd ", kVersion));

  auto* url =
      app.add_option("--database", database.url, "the database: a URL, a conninfo string or a name")
          ->type_name("URL");
  auto* in = app.add_option("--embedded", embedded.directory,
                            "run a private PostgreSQL, kept in DIR; made on first use")
                 ->type_name("DIR");
  auto* file =
      app.add_option("--config", config_file, "several databases, in YAML")->type_name("FILE");
  auto* offline =
      app.add_flag("--offline", config.offline, "no database: read and plan over the files alone");
  app.add_option("--database-name", database.name,
                 "what requests call the database [its own name; with --embedded: app]")
      ->type_name("NAME");
  app.add_option("--password-file", database.password_file,
                 "a file with the database's password, so that it stands in no command line")
      ->type_name("FILE");
  app.add_option("--migrations", database.migrations, "the migration files")
      ->type_name("DIR")
      ->capture_default_str();
  app.add_option("--listen", config.listen,
                 "where to listen: HOST:PORT or unix:PATH; repeatable [127.0.0.1:7433]")
      ->type_name("ADDR")
      ->delimiter(',');
  app.add_flag("--insecure", config.insecure, "allow listening beyond loopback without TLS");
  app.add_option(
         "--tls-cert", tls.files.certificate,
         "encrypt all but unix sockets: the server's certificate, and those up to its CA, in "
         "PEM; read again when it changes, as is what follows")
      ->type_name("FILE");
  app.add_option("--tls-key", tls.files.key, "its private key, without a passphrase")
      ->type_name("FILE");
  app.add_option("--tls-client-ca", tls.files.client_ca,
                 "the CAs of client certificates; without one a client is refused")
      ->type_name("FILE");
  auto* metrics_listen =
      app.add_option("--metrics-listen", config.metrics_listen,
                     "serve metrics, health and a status page by HTTP: HOST:PORT or unix:PATH")
          ->type_name("ADDR");
  auto* metrics_tls = app.add_flag("--metrics-tls", config.metrics_tls,
                                   "encrypt them, but on a unix socket, with the certificate of "
                                   "--tls-cert, without asking for one");
  auto* metrics_token =
      app.add_option("--metrics-token-file", config.metrics_token_file,
                     "a file with the token that metrics and the status page need")
          ->type_name("FILE");
  auto* log_format = app.add_option_function<std::string>(
                            "--log-format",
                            [&config](const std::string& text) {
                              if (ParseLogFormat(text, config.log_format)) return;
                              throw CLI::ValidationError("--log-format", "must be text or json");
                            },
                            "how the log is written: text or json, an object a line")
                         ->type_name("FORMAT")
                         ->default_str("text");
  app.add_option("--version-table", database.version_table, "the version table")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--version-table-schema", database.version_table_schema,
                 "its schema [where the search_path finds it]")
      ->type_name("NAME");
  AddDuration(app, "--lock-timeout", database.policy.timeouts.lock_timeout,
              "how long a statement waits for a lock, if the call does not say; 0: without end");
  AddDuration(app, "--statement-timeout", database.policy.timeouts.statement_timeout,
              "how long a statement runs, if the call does not say; 0: without end");
  app.add_option("--lock-retries", database.policy.lock_retries,
                 "how often a revision that ran into the lock timeout is tried again, if the call "
                 "does not say")
      ->type_name("N")
      ->check(CLI::Range(0, kMostLockRetries).description(""))
      ->capture_default_str();
  app.add_flag("--allow-terminate-blockers", database.policy.allow_terminate_blockers,
               "allow calls to end the sessions that keep a migration waiting");
  app.add_flag("--protected", database.is_protected,
               "run nothing on the database that destroys data");
  app.add_option_function<std::string>(
         "--destructive",
         [&database](const std::string& text) {
           if (ParseDestructive(text, database.destructive)) return;
           throw CLI::ValidationError("--destructive", "must be allow, confirm or refuse");
         },
         "what becomes of a call that destroys data: it runs, needs a confirmation, or is refused "
         "[confirm; with --protected: refuse]")
      ->type_name("POLICY");
  app.add_option_function<std::string>(
         "--lint",
         [&database](const std::string& text) {
           if (ParseLintGate(text, database.policy.lint_gate)) return;
           throw CLI::ValidationError(
               "--lint", absl::StrCat("\"", text, "\" is none of error, warn and off"));
         },
         "which findings of lint stop an upgrade before its first step, if the call does not say: "
         "error, warn (none), off (not looked at)")
      ->type_name("GATE")
      ->default_str("error");
  AddDuration(app, "--connect-timeout", database.connect_timeout,
              "how long to wait for PostgreSQL to answer");
  app.add_option_function<std::string>(
         "--backup",
         [&](const std::string& text) {
           if (ParseBackupMode(text, database.policy.backup)) return;
           throw CLI::ValidationError("--backup", "must be never, before_destructive or always");
         },
         "when a backup is made before the first step, at least: never, before_destructive or "
         "always")
      ->type_name("WHEN")
      ->default_str("never");
  app.add_option_function<std::string>(
         "--backup-verify",
         [&](const std::string& text) {
           if (ParseBackupVerification(text, database.policy.backup_verification)) return;
           throw CLI::ValidationError("--backup-verify", "must be list or restore");
         },
         "how it is verified, at least: list (it can be read), or restore (into a scratch "
         "database, and the rows are counted)")
      ->type_name("HOW")
      ->default_str("list");
  app.add_option("--backup-dir", database.backup_dir,
                 "where backups go [with --embedded DIR: DIR/backups]")
      ->type_name("DIR");
  app.add_option("--backup-keep", database.backup_keep,
                 "how many of the newest backups of a database are kept")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000).description(""))
      ->capture_default_str();
  app.add_option("--postgres-programs", config.postgres_programs,
                 "the folder of pg_dump and pg_restore, and of initdb and postgres for scratch "
                 "databases [looked for]")
      ->type_name("DIR");
  AddDuration(app, "--shutdown-grace", config.shutdown_grace,
              "how long a running operation may go on when migd is told to stop");
  AddDuration(app, "--takeover-after", config.operations.takeover_after,
              "how long another migd must be gone before its operations are taken over");
  app.add_option("--embedded-user", embedded.user,
                 "whom the private PostgreSQL runs as, if migd runs as root")
      ->type_name("USER")
      ->capture_default_str();
  app.add_option("--embedded-programs", embedded.programs,
                 "the folder of initdb and postgres [looked for]")
      ->type_name("DIR");
  NameEnvironment(app, IsSourceTyped(argc, argv));
  if (look != nullptr) {
    look(app);
    return {};
  }

  HashTokenArguments token;
  auto* hash_token = app.add_subcommand(
      "hash-token", "print the line for a bearer token, to be put into the file of tokens");
  hash_token->add_option("NAME", token.name, "what the token is called: token:NAME in rules")
      ->required();
  hash_token
      ->add_option("--new", token.new_file,
                   "make a token, and put it into FILE [the token is read from stdin]")
      ->type_name("FILE");
  hash_token->add_option("--expires", token.expires, "until when it is good [for ever]")
      ->type_name("TIME");

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return {absl::nullopt, app.exit(asked), ""};
  } catch (const CLI::ParseError& mistake) {
    return Mistaken(mistake.what());
  }

  if (hash_token->parsed()) return {absl::nullopt, HashToken(token), ""};

  const int sources = (url->count() > 0) + (in->count() > 0) + (file->count() > 0) +
                      (offline->count() > 0 && config.offline);
  if (sources > 1) {
    return Mistaken("give only one of --database, --embedded, --config and --offline");
  }
  if (sources == 0 && !HasPostgresEnvironment()) {
    return Mistaken(
        "which database? give --database URL, --embedded DIR, --config FILE or "
        "--offline");
  }
  config.databases = {database};
  if (in->count() > 0) config.embedded = embedded;
  if (in->count() > 0 && database.backup_dir.empty()) {
    config.databases[0].backup_dir = embedded.directory + "/backups";
  }
  if (file->count() > 0) {
    const Config typed = config;
    const absl::Status status = ReadConfigFile(config_file, config);
    if (!status.ok()) return Mistaken(status.message());
    // What is typed wins.
    if (!typed.listen.empty()) config.listen = typed.listen;
    if (metrics_listen->count() > 0) config.metrics_listen = typed.metrics_listen;
    if (metrics_tls->count() > 0) config.metrics_tls = typed.metrics_tls;
    if (metrics_token->count() > 0) config.metrics_token_file = typed.metrics_token_file;
    if (log_format->count() > 0) config.log_format = typed.log_format;
  }
  if (tls.files.certificate + tls.files.key + tls.files.client_ca != "") {
    const std::string problem = ProblemOfTls(tls);
    if (!problem.empty()) {
      return Mistaken(absl::StrCat(problem, ": --tls-cert and --tls-key"));
    }
    config.tls = tls;
  }
  if (config.metrics_tls && !config.tls) {
    return Mistaken("--metrics-tls needs --tls-cert and --tls-key");
  }
  if (config.listen.empty()) config.listen = {"127.0.0.1:7433"};
  return {config, 0, ""};
}

}  // namespace

CommandLine ReadCommandLine(int argc, const char* const* argv) {
  return ReadOrShow(argc, argv, /*look=*/nullptr);
}

void ShowCommandLine(const Look& look) { ReadOrShow(0, nullptr, look); }

}  // namespace migd
