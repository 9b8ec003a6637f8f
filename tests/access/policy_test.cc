#include "service/access/policy.h"

#include <string>

#include "gtest/gtest.h"
#include "service/access/roles.h"

namespace migd {
namespace {

constexpr auto kNone = migration::v1::ROLE_UNSPECIFIED;
constexpr auto kViewer = migration::v1::ROLE_VIEWER;
constexpr auto kOperator = migration::v1::ROLE_OPERATOR;
constexpr auto kAdmin = migration::v1::ROLE_ADMIN;

TEST(Roles, HaveNames) {
  for (const char* name : {"viewer", "operator", "destructive", "admin"}) {
    migration::v1::Role role = kNone;
    EXPECT_TRUE(ParseRole(name, role));
    EXPECT_EQ(RoleName(role), name);
  }
  migration::v1::Role role = kNone;
  for (const char* name : {"", "none", "unspecified", "Viewer", "root"}) {
    EXPECT_FALSE(ParseRole(name, role)) << name;
  }
  EXPECT_EQ(RoleName(kNone), "none");
}

TEST(GrantedRole, IsNoneWhereNothingIsGranted) {
  const AccessPolicy policy{"", {{{"token:deploy"}, {"app"}, kOperator}}};
  EXPECT_EQ(GrantedRole(policy, {"token:deploy"}, "app"), kOperator);
  EXPECT_EQ(GrantedRole(policy, {"token:deploy"}, "billing"), kNone);
  EXPECT_EQ(GrantedRole(policy, {"token:other"}, "app"), kNone);
  EXPECT_EQ(GrantedRole(policy, {"certificate:deploy"}, "app"), kNone);
  EXPECT_EQ(GrantedRole(policy, {"anonymous"}, "app"), kNone);
  EXPECT_EQ(GrantedRole({}, {"token:deploy"}, "app"), kNone);
}

TEST(GrantedRole, IsTheHighestOfAllRules) {
  const AccessPolicy policy{
      "", {{{"token:deploy"}, {"app"}, kAdmin}, {{"token:deploy", "unix:root"}, {"*"}, kViewer}}};
  EXPECT_EQ(GrantedRole(policy, {"token:deploy"}, "app"), kAdmin);
  EXPECT_EQ(GrantedRole(policy, {"token:deploy"}, "billing"), kViewer);
}

TEST(GrantedRole, KnowsAPrincipalByAnyOfItsNames) {
  const AccessPolicy policy{"", {{{"unix:70"}, {"*"}, kOperator}}};
  EXPECT_EQ(GrantedRole(policy, {"unix:postgres", "unix:70"}, "app"), kOperator);
}

TEST(GrantedRole, AWildcardIsForAllOfItsKindAndNoOthers) {
  const AccessPolicy policy{"", {{{"certificate:*"}, {"*"}, kViewer}}};
  EXPECT_EQ(GrantedRole(policy, {"certificate:a"}, "app"), kViewer);
  EXPECT_EQ(GrantedRole(policy, {"token:a"}, "app"), kNone);
  EXPECT_EQ(GrantedRole(policy, {"anonymous"}, "app"), kNone);
  EXPECT_TRUE(GrantsAnything(policy, {"certificate:b"}));
  EXPECT_FALSE(GrantsAnything(policy, {"anonymous"}));
}

TEST(GrantedRole, WhatIsForAnonymousIsForAll) {
  const AccessPolicy policy{"", {{{"anonymous"}, {"app"}, kViewer}}};
  EXPECT_EQ(GrantedRole(policy, {"anonymous"}, "app"), kViewer);
  EXPECT_EQ(GrantedRole(policy, {"token:a"}, "app"), kViewer);
}

TEST(CheckPrincipal, KnowsTheKinds) {
  for (const char* principal :
       {"token:a", "certificate:spiffe://x/y", "unix:0", "unix:*", "anonymous"}) {
    EXPECT_TRUE(CheckPrincipal(principal).ok()) << principal;
  }
  for (const char* principal : {"", "*", "token:", "user:a", "Anonymous", "root"}) {
    EXPECT_FALSE(CheckPrincipal(principal).ok()) << principal;
  }
}

}  // namespace
}  // namespace migd
