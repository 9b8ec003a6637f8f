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

TEST(MaskValues, LeavesNames) {
  for (const std::string text : {"column \"discont\" does not exist",
                                 "duplicate key value violates unique constraint \"users_pkey\""}) {
    EXPECT_EQ(MaskValues(text, "42703"), text);
  }
}

TEST(MaskValues, HidesWhatAnErrorAboutAValueQuotes) {
  EXPECT_EQ(MaskValues("invalid input syntax for type integer: \"4111 1111\"", "22P02"),
            "invalid input syntax for type integer: \"?\"");
  EXPECT_EQ(MaskValues("user \"bob\" has no consent", "P0001"), "user \"?\" has no consent");
}

TEST(MaskValues, HidesLiteralsWhereverTheyAre) {
  EXPECT_EQ(MaskValues("syntax error at or near \"'hunter2'\"", "42601"),
            "syntax error at or near \"?\"");
  EXPECT_EQ(MaskValues("syntax error at or near \"4111\"", "42601"),
            "syntax error at or near \"?\"");
  EXPECT_EQ(MaskValues("Key (email)=(bob@example.com) already exists.", "23505"),
            "Key (email)=(?) already exists.");
  EXPECT_EQ(MaskValues("unrecognized value 'hunter2' given", "42000"),
            "unrecognized value '?' given");
  EXPECT_EQ(MaskValues("password=hunter2", ""), "password=*******");
}

TEST(MaskValues, HidesWhatDoesNotEnd) {
  EXPECT_EQ(MaskValues("near \"'hunter", "42601"), "near \"?");
}

}  // namespace
}  // namespace migd
