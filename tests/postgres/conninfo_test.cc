#include "service/postgres/conninfo.h"

#include <cstdlib>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"

namespace migd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

ConnectionOptions Parsed(const std::string& conninfo) {
  const auto options = ParseConninfo(conninfo);
  EXPECT_TRUE(options.ok()) << options.status();
  return options.value_or(ConnectionOptions());
}

// An environment variable for the time of a test.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const char* value) : name_(name) {
    const char* before = std::getenv(name);
    if (before != nullptr) before_ = before;
    had_one_ = before != nullptr;
    if (value == nullptr) {
      unsetenv(name);
    } else {
      setenv(name, value, 1);
    }
  }
  ~ScopedVariable() {
    if (had_one_) {
      setenv(name_, before_.c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }

 private:
  const char* const name_;
  std::string before_;
  bool had_one_ = false;
};

TEST(ParseConninfo, ReadsAUri) {
  EXPECT_THAT(
      Parsed("postgresql://ann:s%40cret@db.example:6543/orders?sslmode=require"),
      ElementsAre(Pair("dbname", "orders"), Pair("host", "db.example"), Pair("password", "s@cret"),
                  Pair("port", "6543"), Pair("sslmode", "require"), Pair("user", "ann")));
}

TEST(ParseConninfo, ReadsKeywordsAndValues) {
  EXPECT_THAT(Parsed("host=/run dbname='my db' password='it\\'s'"),
              ElementsAre(Pair("dbname", "my db"), Pair("host", "/run"), Pair("password", "it's")));
}

TEST(ParseConninfo, APlainNameIsThatOfADatabase) {
  EXPECT_THAT(Parsed("orders"), ElementsAre(Pair("dbname", "orders")));
}

TEST(ParseConninfo, AnEmptyTextLeavesAllToTheEnvironment) { EXPECT_TRUE(Parsed("").empty()); }

TEST(ParseConninfo, NoErrorRepeatsThePassword) {
  for (const std::string text :
       {"postgresql://ann:hunter2@db:port/orders?nonsense=1", "password=hunter2 nonsense=1",
        "postgresql://ann:hunter2%zz@db/orders", "password='hunter2"}) {
    const auto options = ParseConninfo(text);
    ASSERT_FALSE(options.ok()) << text;
    EXPECT_EQ(errors::ReasonOf(options.status()), migration::v1::ERROR_REASON_INVALID_REQUEST);
    EXPECT_THAT(options.status().ToString(), Not(HasSubstr("hunter2")));
  }
}

TEST(FormatConninfo, IsTheOppositeOfParsing) {
  const ConnectionOptions options = {
      {"dbname", "it's"}, {"host", "/tmp/a b"}, {"password", "back\\slash 'quoted'"}, {"user", ""}};
  EXPECT_EQ(Parsed(FormatConninfo(options)), options);
  EXPECT_EQ(FormatConninfo({}), "");
}

TEST(DatabaseName, IsThatOfTheOptionsThenOfTheEnvironmentThenTheUser) {
  const ScopedVariable no_database("PGDATABASE", nullptr);
  EXPECT_EQ(DatabaseName({{"dbname", "orders"}, {"user", "ann"}}), "orders");
  EXPECT_EQ(DatabaseName({{"user", "ann"}}), "ann");
  const ScopedVariable database("PGDATABASE", "from_environment");
  EXPECT_EQ(DatabaseName({{"user", "ann"}}), "from_environment");
}

}  // namespace
}  // namespace migd
