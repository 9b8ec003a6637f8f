#include "service/access/certificates.h"

#include <string>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_ca.h"

namespace migd {
namespace {

using ::testing::HasSubstr;

class ReadTlsFilesTest : public ::testing::Test {
 protected:
  std::string ProblemOf(const std::string& certificate, const std::string& key,
                        const std::string& client_ca = "") const {
    TlsFiles files{directory_.Write("cert.pem", certificate), directory_.Write("key.pem", key), ""};
    if (!client_ca.empty()) files.client_ca = directory_.Write("ca.pem", client_ca);
    const auto identity = ReadTlsFiles(files);
    return identity.ok() ? "" : std::string(identity.status().message());
  }

  const TemporaryDirectory directory_;
  const TestCa ca_;
  const Issued issued_ = ca_.Issue({"server", "DNS:localhost"});
};

TEST_F(ReadTlsFilesTest, TakesAChainWithItsKeyAndACa) {
  EXPECT_EQ(ProblemOf(issued_.certificate, issued_.key), "");
  EXPECT_EQ(ProblemOf(issued_.certificate + ca_.certificate(), issued_.key, ca_.certificate()), "");
}

TEST_F(ReadTlsFilesTest, NamesTheFileThatIsWrong) {
  const Issued other = ca_.Issue({"other"});
  EXPECT_THAT(ProblemOf(issued_.certificate, other.key), HasSubstr("key.pem: is not the key of"));
  EXPECT_THAT(ProblemOf("garbage", issued_.key), HasSubstr("cert.pem: is no PEM file"));
  EXPECT_THAT(ProblemOf("", issued_.key), HasSubstr("cert.pem: is no PEM file"));
  EXPECT_THAT(ProblemOf(issued_.certificate, issued_.certificate), HasSubstr("key.pem: is no PEM"));
  EXPECT_THAT(ProblemOf(issued_.certificate, issued_.key, "garbage"), HasSubstr("ca.pem: is no"));
  // One that was cut off while it was being written.
  EXPECT_THAT(ProblemOf(issued_.certificate + ca_.certificate().substr(0, 100), issued_.key),
              HasSubstr("cert.pem: is no PEM file"));
}

TEST_F(ReadTlsFilesTest, NamesAFileThatIsNotThere) {
  const auto identity = ReadTlsFiles({directory_.path() + "/none.pem", "", ""});
  EXPECT_THAT(std::string(identity.status().message()), HasSubstr("none.pem: cannot be read"));
}

TEST_F(ReadTlsFilesTest, TellsUntilWhenTheCertificateHolds) {
  const absl::Time now = absl::Now();
  const Issued expired = ca_.Issue({"server", "", now - absl::Hours(2), now - absl::Hours(1)});
  const auto identity = ReadTlsFiles({directory_.Write("cert.pem", expired.certificate),
                                      directory_.Write("key.pem", expired.key), ""});
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_THAT(std::string(CheckValidity(*identity, now).message()), HasSubstr("has expired at"));
  EXPECT_TRUE(CheckValidity(*identity, now - absl::Minutes(90)).ok());
  EXPECT_THAT(std::string(CheckValidity(*identity, now - absl::Hours(3)).message()),
              HasSubstr("holds only from"));
}

TEST(ExpiryWarning, ComesAMonthAheadOrInTheLastQuarterOfItsTime) {
  TlsIdentity identity;
  identity.begins = absl::Now();
  identity.expires = identity.begins + absl::Hours(24 * 365);
  EXPECT_EQ(ExpiryWarning(identity, identity.expires - absl::Hours(24 * 31)), "");
  EXPECT_THAT(ExpiryWarning(identity, identity.expires - absl::Hours(24 * 9 + 1)),
              HasSubstr("in 9 days"));
  EXPECT_THAT(ExpiryWarning(identity, identity.expires - absl::Minutes(90)), HasSubstr("in 1h30m"));
  EXPECT_THAT(ExpiryWarning(identity, identity.expires), HasSubstr("has expired"));
  EXPECT_THAT(ExpiryWarning(identity, identity.begins - absl::Hours(1)),
              HasSubstr("holds only from"));

  identity.expires = identity.begins + absl::Hours(24);
  EXPECT_EQ(ExpiryWarning(identity, identity.expires - absl::Hours(7)), "");
  EXPECT_THAT(ExpiryWarning(identity, identity.expires - absl::Hours(5)), HasSubstr("in 5h"));
}

}  // namespace
}  // namespace migd
