// migctl: the client of migd.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/command_line.h"
#include "client/commands.h"
#include "client/connect.h"
#include "client/exit_code.h"
#include "client/interrupts.h"
#include "client/output.h"
#include "client/terminal.h"

namespace migctl {
namespace {

Terminal::Sink WriteTo(std::FILE* file) {
  return [file](absl::string_view bytes) {
    std::fwrite(bytes.data(), 1, bytes.size(), file);
    std::fflush(file);
  };
}

const char* ProcessEnvironment(const char* name) { return std::getenv(name); }

bool AsksTheServer(const Command& command) {
  return !std::holds_alternative<VersionCommand>(command) &&
         !std::holds_alternative<ImportCommand>(command);
}

ExitCode RunInvocation(const Invocation& invocation) {
  const GlobalOptions& options = invocation.global;
  Terminal out(WriteTo(stdout), DetectTerminal(STDOUT_FILENO, options.color, ProcessEnvironment));
  Terminal err(WriteTo(stderr), DetectTerminal(STDERR_FILENO, options.color, ProcessEnvironment));
  Output output(options.output, out, err);
  Interrupts interrupts;
  const InterruptThread interrupt_thread(interrupts);
  // What asks no server is not to fail by how it would be reached.
  auto opened = Connect(AsksTheServer(invocation.command) ? options : GlobalOptions());
  if (!opened.ok()) {
    output.Fail(opened.error());
    return ExitCode::kUsage;
  }
  // Left open: the kernel closes it with the process, at once, while gRPC takes its threads down
  // one by one, which is longer than most calls take.
  Connection& connection = *opened.value().release();
  Session session{options.database, connection, output, interrupts};
  return Run(invocation.command, session);
}

ExitCode PrintHelp(const HelpText& help) {
  std::fputs(help.text.c_str(), stdout);
  return ExitCode::kDone;
}

ExitCode PrintUsageError(const UsageError& usage) {
  Terminal out(WriteTo(stdout), TerminalTraits());
  Terminal err(WriteTo(stderr),
               DetectTerminal(STDERR_FILENO, ColorMode::kAuto, ProcessEnvironment));
  migration::v1::Error error;
  error.set_code("INVALID_ARGUMENT");
  // For programs; a person sees that it is about the command line.
  if (usage.output == OutputFormat::kJson) error.set_reason("INVALID_REQUEST");
  error.set_message(usage.message);
  error.set_hint(usage.hint);
  Output(usage.output, out, err).Fail(error);
  return ExitCode::kUsage;
}

ExitCode RunParsed(const ParsedCommandLine& parsed) {
  if (const auto* help = std::get_if<HelpText>(&parsed)) return PrintHelp(*help);
  if (const auto* usage = std::get_if<UsageError>(&parsed)) return PrintUsageError(*usage);
  return RunInvocation(std::get<Invocation>(parsed));
}

ExitCode Main(const std::vector<std::string>& arguments) {
  // gRPC's own log lines would stand among the errors that migctl words itself.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  // Between two calls nobody drives a connection that is being made but gRPC's own timer, which
  // comes by every five seconds: too late for who waits for a server.
  setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "100", /*overwrite=*/0);
  const ExitCode exit_code = RunParsed(ParseCommandLine(arguments, ProcessEnvironment));
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_code;
  std::fputs("error: cannot write to stdout\n", stderr);
  return ExitCode::kFailed;
}

}  // namespace
}  // namespace migctl

int main(int argc, char** argv) {
  const migctl::ExitCode exit_code = migctl::Main(std::vector<std::string>(argv + 1, argv + argc));
  // Not by way of the destructors of globals, which the threads of gRPC still use.
  std::fflush(stderr);
  std::_Exit(static_cast<int>(exit_code));
}
