// The layers of the sources, read from their #include lines: dependencies run one way.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace migd {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::IsEmpty;

// An #include line: the file that it stands in, relative to the project, and what it names.
struct Include {
  std::string file;
  std::string target;
};

std::string Describe(const Include& include) {
  return absl::StrCat(include.file, " includes ", include.target);
}

fs::path ProjectSource() {
  const char* source = std::getenv("PROJECT_SOURCE");
  if (source == nullptr) {
    ADD_FAILURE() << "PROJECT_SOURCE names no source tree; run the test with ctest";
    return {};
  }
  return source;
}

std::vector<Include> IncludesUnder(const std::string& folder) {
  std::vector<Include> includes;
  const fs::path source = ProjectSource();
  for (const auto& entry : fs::recursive_directory_iterator(source / folder)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".h" && extension != ".cc" && extension != ".in") continue;
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      absl::string_view rest = absl::StripLeadingAsciiWhitespace(line);
      if (!absl::ConsumePrefix(&rest, "#")) continue;
      rest = absl::StripLeadingAsciiWhitespace(rest);
      if (!absl::ConsumePrefix(&rest, "include")) continue;
      rest = absl::StripAsciiWhitespace(rest);
      const size_t end = rest.find_first_of("\">", 1);
      if (rest.empty() || end == rest.npos) continue;
      includes.push_back({fs::relative(entry.path(), source).generic_string(),
                          std::string(rest.substr(1, end - 1))});
    }
  }
  return includes;
}

// The layer of a path: "base" of service/base/log.h, "main" of service/main.cc and what stands
// beside it; empty outside service/.
std::string LayerOf(absl::string_view path) {
  if (!absl::ConsumePrefix(&path, "service/")) return "";
  const size_t slash = path.find('/');
  return slash == path.npos ? "main" : std::string(path.substr(0, slash));
}

// The layers that each may use, itself left out. `database` is an interface in the words of plans
// and statements: execute/ uses it, postgres/ implements it.
const std::map<std::string, std::set<std::string>>& AllowedLayers() {
  static const std::map<std::string, std::set<std::string>> allowed = {
      {"base", {}},
      {"access", {"base"}},
      {"revision", {"base"}},
      {"script", {"base", "revision"}},
      {"plan", {"base", "revision", "script"}},
      {"sql", {"base", "script"}},
      {"lint", {"base", "revision", "script", "sql"}},
      {"schema", {"base"}},
      {"database", {"base", "script", "plan", "schema"}},
      {"execute", {"base", "revision", "script", "sql", "lint", "schema", "plan", "database"}},
      {"operation",
       {"base", "revision", "script", "sql", "lint", "schema", "plan", "database", "execute"}},
      {"rpc",
       {"base", "access", "revision", "script", "sql", "lint", "schema", "plan", "database",
        "execute", "operation"}},
      {"monitor",
       {"base", "revision", "script", "sql", "lint", "schema", "plan", "database", "execute",
        "operation", "rpc"}},
      {"postgres", {"base", "script", "plan", "schema", "database"}},
  };
  return allowed;
}

bool IsPostgresHeader(const std::string& target) {
  return absl::StartsWith(target, "pqxx") || absl::StartsWith(target, "libpq") ||
         absl::StartsWith(target, "postgresql/") || target == "postgres_ext.h";
}

bool IsGrpcHeader(const std::string& target) {
  return absl::StartsWith(target, "grpcpp/") || absl::StartsWith(target, "grpc++/") ||
         absl::StartsWith(target, "grpc/") || absl::EndsWith(target, ".grpc.pb.h");
}

// The includes for which `is_wrong` holds, as text.
template <typename Predicate>
std::vector<std::string> Wrong(const std::vector<Include>& includes, Predicate is_wrong) {
  std::vector<std::string> wrong;
  for (const Include& include : includes) {
    if (is_wrong(include)) wrong.push_back(Describe(include));
  }
  return wrong;
}

std::vector<std::string> WrongLayers(const std::vector<Include>& includes) {
  return Wrong(includes, [](const Include& include) {
    const std::string from = LayerOf(include.file);
    const std::string to = LayerOf(include.target);
    if (to.empty() || from == to || from == "main") return false;
    const auto allowed = AllowedLayers().find(from);
    return allowed == AllowedLayers().end() || allowed->second.count(to) == 0;
  });
}

TEST(Layering, TheCheckSeesAWrongInclude) {
  EXPECT_THAT(WrongLayers({{"service/plan/planner.cc", "service/execute/executor.h"}}),
              Contains("service/plan/planner.cc includes service/execute/executor.h"));
  EXPECT_THAT(WrongLayers({{"service/rpc/server.cc", "service/postgres/connection.h"}}),
              Contains("service/rpc/server.cc includes service/postgres/connection.h"));
  EXPECT_THAT(WrongLayers({{"service/base/log.cc", "service/flags.h"}}),
              Contains("service/base/log.cc includes service/flags.h"));
}

TEST(Layering, TheCheckReadsTheSources) {
  std::vector<std::string> found;
  for (const Include& include : IncludesUnder("service")) found.push_back(Describe(include));
  EXPECT_THAT(found, Contains("service/rpc/server.h includes service/rpc/listener.h"));
  EXPECT_THAT(found, Contains("service/postgres/connection.h includes pqxx/pqxx"));
}

TEST(Layering, EveryFolderOfTheServiceIsALayer) {
  for (const auto& entry : fs::directory_iterator(ProjectSource() / "service")) {
    if (!entry.is_directory()) continue;
    EXPECT_EQ(AllowedLayers().count(entry.path().filename().string()), 1U)
        << entry.path().filename() << " stands in no order with the others";
  }
}

TEST(Layering, ALayerIncludesOnlyThoseBeneathIt) {
  EXPECT_THAT(WrongLayers(IncludesUnder("service")), IsEmpty());
}

TEST(Layering, RpcAndPostgresMeetInMainOnly) {
  std::map<std::string, std::set<std::string>> layers_of;
  for (const Include& include : IncludesUnder("service")) {
    layers_of[include.file].insert(LayerOf(include.target));
  }
  for (const auto& [file, layers] : layers_of) {
    if (file == "service/main.cc") continue;
    EXPECT_FALSE(layers.count("rpc") > 0 && layers.count("postgres") > 0) << file;
  }
}

// What the import writes and checks migration files with. Nothing else in client/ knows the
// service.
bool MayImportUse(const Include& include) {
  static const std::set<std::string> pure = {"base", "revision", "script"};
  return absl::StartsWith(include.file, "client/import/") &&
         pure.count(LayerOf(include.target)) > 0;
}

std::vector<std::string> WrongInClient(const std::vector<Include>& includes) {
  return Wrong(includes, [](const Include& include) {
    return LayerOf(include.target) != "" && !MayImportUse(include);
  });
}

TEST(Layering, TheCheckSeesAWrongIncludeOfTheClient) {
  EXPECT_THAT(WrongInClient({{"client/output.cc", "service/base/utf8.h"}}),
              Contains("client/output.cc includes service/base/utf8.h"));
  EXPECT_THAT(WrongInClient({{"client/import/goose.cc", "service/plan/planner.h"}}),
              Contains("client/import/goose.cc includes service/plan/planner.h"));
  EXPECT_THAT(WrongInClient({{"client/import/goose.cc", "service/script/sql_lexer.h"}}), IsEmpty());
}

TEST(Layering, TheClientIncludesNothingOfTheServiceButForTheImport) {
  EXPECT_THAT(WrongInClient(IncludesUnder("client")), IsEmpty());
}

TEST(Layering, TheImportIncludesNothingOfTheRestOfTheClient) {
  EXPECT_THAT(Wrong(IncludesUnder("client/import"),
                    [](const Include& include) {
                      return absl::StartsWith(include.target, "client/") &&
                             !absl::StartsWith(include.target, "client/import/");
                    }),
              IsEmpty());
}

// It is installed without the rest, for other services.
TEST(Layering, TheClientLibraryIncludesNothingOfTheRest) {
  EXPECT_THAT(Wrong(IncludesUnder("client/library"),
                    [](const Include& include) {
                      return absl::StartsWith(include.target, "client/") ||
                             absl::StartsWith(include.target, "service/");
                    }),
              IsEmpty());
}

TEST(Layering, TheServiceIncludesNothingOfTheClientOrTheTests) {
  EXPECT_THAT(Wrong(IncludesUnder("service"),
                    [](const Include& include) {
                      return absl::StartsWith(include.target, "client/") ||
                             absl::StartsWith(include.target, "tests/");
                    }),
              IsEmpty());
}

TEST(Layering, WhatDescribesCommandLinesKnowsNone) {
  EXPECT_THAT(Wrong(IncludesUnder("client/cli"),
                    [](const Include& include) {
                      return include.target != "client/cli/description.h" &&
                             (absl::StartsWith(include.target, "client/") ||
                              absl::StartsWith(include.target, "service/"));
                    }),
              IsEmpty());
}

TEST(Layering, NothingIncludesTheManualPages) {
  for (const char* folder : {"service", "client"}) {
    EXPECT_THAT(
        Wrong(IncludesUnder(folder),
              [](const Include& include) { return absl::StartsWith(include.target, "docker/"); }),
        IsEmpty());
  }
}

TEST(Layering, OnlyPostgresSeesThePostgresLibraries) {
  std::vector<Include> includes = IncludesUnder("service");
  const std::vector<Include> client = IncludesUnder("client");
  includes.insert(includes.end(), client.begin(), client.end());
  EXPECT_THAT(Wrong(includes,
                    [](const Include& include) {
                      return IsPostgresHeader(include.target) &&
                             LayerOf(include.file) != "postgres";
                    }),
              IsEmpty());
}

TEST(Layering, OnlyRpcAndMainSeeGrpc) {
  EXPECT_THAT(Wrong(IncludesUnder("service"),
                    [](const Include& include) {
                      return IsGrpcHeader(include.target) && LayerOf(include.file) != "rpc" &&
                             include.file != "service/main.cc";
                    }),
              IsEmpty());
}

}  // namespace
}  // namespace migd
