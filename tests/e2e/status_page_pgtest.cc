// The status page in a real browser, while a migration runs.

#include <signal.h>

#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "tests/e2e/monitored_service.h"

namespace migd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What is looked for in the page.
constexpr char kRunning[] = "document.querySelector('#running article')";
constexpr char kBlockers[] = "document.querySelector('#running table')";
constexpr char kHistory[] = "document.querySelector('#history tbody')";
constexpr char kLive[] = "document.querySelector('#connection').textContent === 'live'";

class StatusPageTest : public MonitoredServiceTest {
 protected:
  StatusPageTest() {
    Add({.id = "aa10", .up = "CREATE TABLE a (s text);", .down = "DROP TABLE a;"});
    AddFile("bb20_html.sql",
            "-- <img src=x onerror=alert(1)> & \"quotes\"\n--\n-- Revision ID: bb20\n-- Revises: "
            "aa10\n\n-- migrate:up\nALTER TABLE a ADD COLUMN x int;\n-- migrate:down\n");
    Add({.id = "cc30", .revises = "aa10", .up = "CREATE TABLE c ();"});
    Add({.id = "dd40", .revises = "bb20,cc30", .up = "CREATE TABLE d ();"});
  }

  // How to open the page and take `steps`; see browser.py.
  Command Browser(const std::vector<std::string>& steps, const Arguments& options = {}) const {
    Arguments arguments = {"/usr/bin/python3",
                           TestVariable("PROJECT_SOURCE") + "/tests/e2e/browser.py", url()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return {arguments, {}, absl::StrJoin(steps, "\n") + "\n"};
  }

  Finished Browse(const std::vector<std::string>& steps, const Arguments& options = {}) const {
    Finished finished = RunCommand(Browser(steps, options));
    EXPECT_EQ(finished.exit_code, 0) << finished.out << finished.err;
    return finished;
  }
};

TEST_F(StatusPageTest, FollowsAnUpgradeThatIsBlockedToItsEnd) {
  StartMonitoredMigd({"--lock-timeout", "0"});
  Migctl({"upgrade", "aa10"});
  Hold("a");
  Process browser(Browser({
      absl::StrCat("wait ", kLive),
      "wait document.querySelector('#databases article').innerText.includes('3 pending')",
      "say READY",
      absl::StrCat("wait ", kBlockers),
      absl::StrCat("print ", kRunning, ".innerText"),
      "say BLOCKED",
      absl::StrCat("wait !", kRunning),
      absl::StrCat("wait ", kHistory, ".rows.length === 2"),
      "wait document.querySelector('#databases article').innerText.includes('up to date')",
      absl::StrCat("print ", kHistory, ".innerText"),
      absl::StrCat("print ", kHistory, ".rows[0].innerText.includes(", kHistory,
                   ".rows[0].dataset.operation) ? 'named' : 'nameless'"),
      "print document.querySelector('.graph').innerText",
      "print document.querySelectorAll('.graph circle').length",
      "say DONE",
  }));
  ASSERT_TRUE(browser.WaitForOutput("READY"));
  Process upgrade(MigctlCommand({"upgrade", "dd40"}));
  ASSERT_TRUE(browser.WaitForOutput("BLOCKED")) << browser.err();
  Release();
  EXPECT_EQ(upgrade.Wait().exit_code, 0);
  const Finished seen = browser.Wait();
  EXPECT_EQ(seen.exit_code, 0) << seen.out << seen.err;
  EXPECT_THAT(seen.out, HasSubstr("upgrade dd40 on "));
  EXPECT_THAT(seen.out, HasSubstr("waits for a (AccessExclusiveLock); in its way:"));
  EXPECT_THAT(seen.out, HasSubstr("reporting"));
  EXPECT_THAT(seen.out, HasSubstr("SELECT ? FROM a"));
  EXPECT_THAT(seen.out, Not(HasSubstr("secret")));
  EXPECT_THAT(seen.out, HasSubstr("succeeded"));
  EXPECT_THAT(seen.out, HasSubstr("\"named\""));
  EXPECT_THAT(seen.out, HasSubstr("<img src=x onerror=alert(1)> & \\\"quotes\\\""));
  EXPECT_THAT(seen.out, HasSubstr("current, head"));
  EXPECT_THAT(seen.out, HasSubstr("\n4\n"));
}

TEST_F(StatusPageTest, ComesBackAfterTheServer) {
  StartMonitoredMigd();
  Process browser(Browser({
      absl::StrCat("wait ", kLive),
      "say LIVE",
      "wait document.querySelector('#connection').textContent.startsWith('connection lost')",
      "say LOST",
      absl::StrCat("wait ", kLive),
      absl::StrCat("wait ", kHistory, " && ", kHistory, ".rows.length === 1"),
  }));
  ASSERT_TRUE(browser.WaitForOutput("LIVE"));
  migd().process().Signal(SIGSTOP);
  migd().KillAndRestart();
  Migctl({"upgrade", "aa10"});
  const Finished seen = browser.Wait();
  EXPECT_EQ(seen.exit_code, 0) << seen.out << seen.err;
}

TEST_F(StatusPageTest, FitsAPhoneAndTheDark) {
  StartMonitoredMigd();
  Migctl({"upgrade", "aa10"});
  const Finished seen =
      Browse({absl::StrCat("wait ", kHistory), "print document.documentElement.scrollWidth <= 360",
              "print getComputedStyle(document.body).backgroundColor"},
             {"--width=360", "--height=700", "--dark"});
  EXPECT_THAT(seen.out, HasSubstr("true\n\"rgb(20, 23, 26)\"\n"));
}

TEST_F(StatusPageTest, HasNamesForThoseWhoDoNotSeeIt) {
  StartMonitoredMigd();
  Migctl({"upgrade", "aa10"});
  const Finished seen = Browse({
      absl::StrCat("wait ", kHistory),
      // Whatever scrolls can be reached by keyboard, and says what it is.
      "print [...document.querySelectorAll('.scroll, .graph')].every((e) => e.tabIndex === 0 && "
      "(e.ariaLabel || e.getAttribute('aria-labelledby')))",
      "print [...document.querySelectorAll('section')].every((e) => "
      "document.getElementById(e.getAttribute('aria-labelledby')))",
      "print [...document.querySelectorAll('th')].every((e) => e.scope === 'col')",
      "print document.querySelector('#connection').role",
      "print document.querySelector('.graph svg').ariaHidden",
  });
  EXPECT_EQ(seen.out, "true\ntrue\ntrue\n\"status\"\n\"true\"\n");
}

}  // namespace
}  // namespace migd
