#include "service/base/redact.h"

#include <gtest/gtest.h>

#include <string>

namespace migd {
namespace {

TEST(MaskPasswords, HidesTheLiteralAfterTheWord) {
  EXPECT_EQ(MaskPasswords("ALTER ROLE app PASSWORD 'hunter2' VALID UNTIL 'infinity'"),
            "ALTER ROLE app PASSWORD '*******' VALID UNTIL 'infinity'");
  EXPECT_EQ(MaskPasswords("CREATE ROLE a ENCRYPTED PASSWORD E'x''y'"),
            "CREATE ROLE a ENCRYPTED PASSWORD E'****'");
  EXPECT_EQ(MaskPasswords("OPTIONS (user 'bob', password 'secret')"),
            "OPTIONS (user 'bob', password '******')");
}

TEST(MaskPasswords, HidesTheValueInAConnectionString) {
  EXPECT_EQ(MaskPasswords("CONNECTION 'host=a password=secret dbname=b'"),
            "CONNECTION 'host=a password=****** dbname=b'");
  EXPECT_EQ(MaskPasswords("password = 'two words' host=a"), "password = '*********' host=a");
  EXPECT_EQ(MaskPasswords("sslpassword=abc"), "sslpassword=***");
}

TEST(MaskPasswords, HidesThePasswordInAUri) {
  EXPECT_EQ(MaskPasswords("see postgresql://app:s3:c@db.internal/core now"),
            "see postgresql://app:****@db.internal/core now");
  EXPECT_EQ(MaskPasswords("postgresql://db/core?user=a&password=xyz&port=1"),
            "postgresql://db/core?user=a&password=***&port=1");
}

TEST(MaskPasswords, HidesALiteralThatDoesNotEnd) {
  EXPECT_EQ(MaskPasswords("PASSWORD 'hunter"), "PASSWORD '******");
}

TEST(MaskPasswords, LeavesOtherTextAlone) {
  for (const std::string text : {"", "password", "password authentication failed for user \"app\"",
                                 "ALTER TABLE users ADD COLUMN password_hash text",
                                 "mail bob@example.com: it's done", "http://host:5432/a"}) {
    EXPECT_EQ(MaskPasswords(text), text);
  }
}

TEST(MaskPasswords, FindsEveryOne) {
  EXPECT_EQ(MaskPasswords("password=a password=b"), "password=* password=*");
}

}  // namespace
}  // namespace migd
