// Writes the manual page of migd or migctl: what is said by hand in a template, with what the
// program's own command line says of itself in place of @COMMANDS@, @OPTIONS@ and so on.
//
//     man_pages migd|migctl TEMPLATE OUTPUT
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "absl/strings/str_replace.h"
#include "client/cli/description.h"
#include "client/command_line.h"
#include "client/version.h"
#include "docker/man/roff.h"
#include "service/flags.h"

namespace man {
namespace {

cli::Command DescribedOf(const std::string& program) {
  if (program == "migctl") return migctl::DescribeCommandLine();
  cli::Command command;
  migd::ShowCommandLine([&](const CLI::App& app) { command = cli::Describe(app); });
  return command;
}

int Write(const std::string& program, const std::string& from, const std::string& to) {
  const cli::Command command = DescribedOf(program);
  std::ifstream input(from);
  std::ostringstream page;
  page << input.rdbuf();
  std::ofstream output(to);
  output << absl::StrReplaceAll(page.str(),
                                {{"@VERSION@", migctl::kVersion},
                                 {"@COMMANDS@\n", Commands(command, migctl::kGlobalHint)},
                                 {"@OPTIONS@\n", Options(command)},
                                 {"@ENVIRONMENT@\n", Environment(command)},
                                 {"@EXAMPLES@\n", Example(command, "Examples:")}});
  output.close();
  if (input && output) return 0;
  std::cerr << "man_pages: cannot make " << to << " of " << from << "\n";
  return 1;
}

}  // namespace
}  // namespace man

int main(int argc, char** argv) {
  if (argc == 4) return man::Write(argv[1], argv[2], argv[3]);
  std::cerr << "usage: man_pages migd|migctl TEMPLATE OUTPUT\n";
  return 2;
}
