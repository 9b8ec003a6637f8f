#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/postgres/connection.h"
#include "service/postgres/statement_runner.h"
#include "tests/support/process.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StatementRunnerTest : public ::testing::Test {
 protected:
  StatementRunnerTest()
      : database_(TestCluster::CreateDatabase()),
        connection_(FormatConninfo(database_), absl::Seconds(30)),
        runner_(connection_, "app") {}

  StatementResult Run(const std::string& sql,
                      absl::optional<absl::string_view> data = absl::nullopt) {
    const auto result = runner_.Run(sql, data);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.value_or(StatementResult());
  }
  void RunWell(const std::string& sql) {
    const StatementResult result = Run(sql);
    EXPECT_FALSE(result.error.has_value()) << sql << ": " << result.error->message;
  }
  // The first value of a query, as another connection sees it.
  std::string Query(const std::string& sql) { return TestCluster::Query(database_, sql); }

  const ConnectionOptions database_;
  Connection connection_;
  StatementRunner runner_;
};

TEST_F(StatementRunnerTest, WhatTheServerSaysIsUtf8WhateverTheMigrationSet) {
  std::vector<std::string> said;
  runner_.SetNoticeHandler([&said](const ServerNotice& notice) { said.push_back(notice.message); });
  RunWell("SET client_encoding = 'LATIN1'");
  RunWell("DO $$ BEGIN RAISE NOTICE 'caf%', chr(233); END $$");
  EXPECT_THAT(said, ElementsAre("caf\uFFFD"));
  const StatementResult refused = Run(
      "DO $$ BEGIN RAISE EXCEPTION 'caf%', chr(233) USING DETAIL = chr(233), HINT = chr(233); END "
      "$$");
  ASSERT_TRUE(refused.error.has_value());
  EXPECT_EQ(refused.error->message, "caf\uFFFD");
  EXPECT_EQ(refused.error->detail, "\uFFFD");
  EXPECT_EQ(refused.error->hint, "\uFFFD");
}

TEST_F(StatementRunnerTest, TellsAllThatTheServerSaysOfAnError) {
  RunWell("CREATE TABLE t (id int PRIMARY KEY)");
  RunWell("INSERT INTO t VALUES (1)");
  const StatementResult duplicate = Run("INSERT INTO t VALUES (1)");
  ASSERT_TRUE(duplicate.error.has_value());
  EXPECT_EQ(duplicate.error->sqlstate, "23505");
  EXPECT_THAT(duplicate.error->message, HasSubstr("t_pkey"));
  EXPECT_EQ(duplicate.error->detail, "Key (id)=(1) already exists.");

  const StatementResult typo = Run("SELECT 'é€', idd FROM t");
  ASSERT_TRUE(typo.error.has_value());
  EXPECT_EQ(typo.error->sqlstate, "42703");
  EXPECT_EQ(typo.error->position, 14);
  EXPECT_THAT(typo.error->hint, HasSubstr("t.id"));

  const StatementResult inside = Run("DO $$ BEGIN PERFORM 1/0; END $$");
  ASSERT_TRUE(inside.error.has_value());
  EXPECT_THAT(inside.error->context, HasSubstr("PL/pgSQL function inline_code_block"));
}

TEST_F(StatementRunnerTest, FeedsCopy) {
  RunWell("CREATE TABLE t (a int, b text)");
  const StatementResult copied = Run("COPY t FROM stdin", "1\tone\n2\t\\N\n3\tdrei\\tthree\n");
  EXPECT_FALSE(copied.error.has_value());
  EXPECT_EQ(copied.command_tag, "COPY 3");
  EXPECT_EQ(copied.rows, 3);
  EXPECT_EQ(Query("SELECT count(*) FROM t WHERE b IS NULL"), "1");
  EXPECT_EQ(Query("SELECT b FROM t WHERE a = 3"), "drei\tthree");
}

TEST_F(StatementRunnerTest, FeedsMoreCopyDataThanABufferTakes) {
  RunWell("CREATE TABLE t (a int, b text)");
  std::string data;
  for (int i = 0; i < 20000; ++i) absl::StrAppend(&data, i, "\t", std::string(100, 'x'), "\n");
  EXPECT_EQ(Run("COPY t FROM stdin", data).rows, 20000);
  EXPECT_EQ(Query("SELECT sum(a) FROM t"), "199990000");
}

TEST_F(StatementRunnerTest, CopyDataThatIsWrongIsAnErrorAndTheConnectionGoesOn) {
  RunWell("CREATE TABLE t (a int)");
  std::string data = "1\nnot a number\n";
  for (int i = 0; i < 100000; ++i) absl::StrAppend(&data, i, "\n");
  const StatementResult copied = Run("COPY t FROM stdin", data);
  ASSERT_TRUE(copied.error.has_value());
  EXPECT_EQ(copied.error->sqlstate, "22P02");
  EXPECT_THAT(copied.error->context, HasSubstr("COPY t, line 2"));
  EXPECT_EQ(Query("SELECT count(*) FROM t"), "0");
  RunWell("SELECT 1");
}

TEST_F(StatementRunnerTest, CopyWithoutDataIsRefusedNotWaitedFor) {
  RunWell("CREATE TABLE t (a int)");
  const StatementResult copied = Run("COPY t FROM stdin");
  ASSERT_TRUE(copied.error.has_value());
  EXPECT_THAT(copied.error->message, HasSubstr("no data for this COPY"));
  RunWell("SELECT 1");
}

TEST_F(StatementRunnerTest, CopyOutIsReadAndThrownAway) {
  const StatementResult copied = Run("COPY (SELECT generate_series(1, 50000)) TO stdout");
  EXPECT_FALSE(copied.error.has_value());
  EXPECT_EQ(copied.rows, 50000);
  RunWell("SELECT 1");
}

TEST_F(StatementRunnerTest, CountsTheRowsOfABigSelect) {
  EXPECT_EQ(Run("SELECT repeat('x', 100) FROM generate_series(1, 100000)").rows, 100000);
}

TEST_F(StatementRunnerTest, AnErrorAfterSomeRowsIsAnError) {
  const StatementResult failed = Run("SELECT 1 / (3 - n) FROM generate_series(1, 5) n");
  ASSERT_TRUE(failed.error.has_value());
  EXPECT_EQ(failed.error->sqlstate, "22012");
  RunWell("SELECT 1");
}

TEST_F(StatementRunnerTest, ARuleThatMakesSeveralStatementsIsOneResult) {
  RunWell("CREATE TABLE t (a int)");
  RunWell("CREATE TABLE log (a int)");
  RunWell("CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log VALUES (new.a)");
  EXPECT_EQ(Run("INSERT INTO t VALUES (1)").command_tag, "INSERT 0 1");
  EXPECT_EQ(Query("SELECT count(*) FROM log"), "1");
}

TEST_F(StatementRunnerTest, TheFirstErrorOfSeveralStatementsCounts) {
  const StatementResult failed = Run("SELECT 1; SELECT nothing; SELECT 1/0");
  ASSERT_TRUE(failed.error.has_value());
  EXPECT_EQ(failed.error->sqlstate, "42703");
}

TEST_F(StatementRunnerTest, AnEmptyTextIsNoError) {
  EXPECT_FALSE(Run("").error.has_value());
  EXPECT_FALSE(Run("-- nothing").error.has_value());
}

TEST_F(StatementRunnerTest, NoticesHaveTheirParts) {
  std::vector<ServerNotice> notices;
  runner_.SetNoticeHandler([&](const ServerNotice& notice) { notices.push_back(notice); });
  RunWell(
      "DO $$ BEGIN RAISE WARNING 'careful' USING DETAIL = 'a detail', HINT = 'a hint', "
      "ERRCODE = '01P01'; RAISE NOTICE 'second'; END $$");
  ASSERT_EQ(notices.size(), 2U);
  EXPECT_EQ(notices[0].severity, "WARNING");
  EXPECT_EQ(notices[0].sqlstate, "01P01");
  EXPECT_EQ(notices[0].message, "careful");
  EXPECT_EQ(notices[0].detail, "a detail");
  EXPECT_EQ(notices[0].hint, "a hint");
  EXPECT_EQ(notices[1].message, "second");
}

TEST_F(StatementRunnerTest, NoticesComeWhileTheStatementRuns) {
  std::vector<std::string> messages;
  runner_.SetNoticeHandler([&](const ServerNotice& n) { messages.push_back(n.message); });
  const StatementResult failed = Run("DO $$ BEGIN RAISE NOTICE 'before'; PERFORM 1/0; END $$");
  EXPECT_TRUE(failed.error.has_value());
  EXPECT_THAT(messages, ElementsAre("before"));
}

TEST_F(StatementRunnerTest, AConnectionThatTheServerEndsIsAStatus) {
  const auto lost = runner_.Run("SELECT pg_terminate_backend(pg_backend_pid())");
  EXPECT_EQ(errors::ReasonOf(lost.status()), migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE);
  EXPECT_THAT(std::string(lost.status().message()), HasSubstr("terminating connection"));
  EXPECT_EQ(errors::ReasonOf(runner_.Run("SELECT 1").status()),
            migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE);
}

TEST_F(StatementRunnerTest, AConnectionThatTheServerEndsDuringCopyIsAStatus) {
  RunWell("CREATE TABLE t (a int)");
  RunWell(
      "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
      "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN new; END $$");
  RunWell("CREATE TRIGGER die BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION die()");
  std::string data;
  for (int i = 0; i < 500000; ++i) absl::StrAppend(&data, i, "\n");
  const auto lost = runner_.Run("COPY t FROM stdin", absl::string_view(data));
  EXPECT_EQ(errors::ReasonOf(lost.status()), migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE);
}

// --- Sent together ---

StatementRunner::Batch BatchOf(const std::vector<std::string>& texts, bool awaited = true) {
  return {texts.size(), [texts, awaited](size_t i) -> StatementRunner::Query {
            return {texts[i], awaited};
          }};
}

// Runs texts together, all awaited; returns a line for each that ran.
std::vector<std::string> Together(StatementRunner& runner, const std::vector<std::string>& texts,
                                  absl::Status* status = nullptr) {
  std::vector<std::string> told;
  const absl::Status ended =
      runner.RunTogether(BatchOf(texts), [&](size_t i, const StatementResult& result) {
        told.push_back(absl::StrCat(
            i, " ", result.error ? result.error->sqlstate : result.command_tag, " ", result.rows));
        return absl::OkStatus();
      });
  if (status != nullptr) {
    *status = ended;
  } else {
    EXPECT_TRUE(ended.ok()) << ended;
  }
  return told;
}

TEST_F(StatementRunnerTest, RunsTogetherInOrder) {
  EXPECT_THAT(
      Together(runner_, {"BEGIN", "CREATE TABLE t (i int)", "INSERT INTO t VALUES (1), (2)",
                         "SELECT i FROM t", "COMMIT"}),
      ElementsAre("0 BEGIN 0", "1 CREATE TABLE 0", "2 INSERT 0 2 2", "3 SELECT 2 2", "4 COMMIT 0"));
  EXPECT_EQ(Query("SELECT count(*) FROM t"), "2");
  // The connection takes other queries afterwards.
  RunWell("SELECT 1");
}

TEST_F(StatementRunnerTest, WhatFollowsARefusedOneDoesNotRun) {
  EXPECT_THAT(Together(runner_, {"BEGIN", "SELECT 1/0", "CREATE TABLE t ()"}),
              ElementsAre("0 BEGIN 0", "1 22012 0"));
  EXPECT_EQ(PQtransactionStatus(connection_.handle()), PQTRANS_INERROR);
  RunWell("ROLLBACK");
  EXPECT_EQ(Query("SELECT to_regclass('t') IS NULL"), "t");
}

TEST_F(StatementRunnerTest, TheOneThatFailsIsNamedAmongThousands) {
  for (const size_t bad : {size_t{0}, size_t{63}, size_t{64}, size_t{1500}, size_t{2999}}) {
    std::vector<std::string> texts(3000, "SELECT 1");
    texts[bad] = "SELECT nonsense";
    RunWell("BEGIN");
    const auto told = Together(runner_, texts);
    ASSERT_EQ(told.size(), bad + 1);
    EXPECT_EQ(told.back(), absl::StrCat(bad, " 42703 0"));
    RunWell("ROLLBACK");
  }
}

TEST_F(StatementRunnerTest, TheErrorOfOneTogetherSaysWhereInIt) {
  std::vector<std::string> texts = {"BEGIN", "SELECT 1,\n  nonsense"};
  absl::optional<ServerError> error;
  ASSERT_TRUE(runner_
                  .RunTogether(BatchOf(texts, /*awaited=*/false),
                               [&](size_t, const StatementResult& result) {
                                 error = result.error;
                                 return absl::OkStatus();
                               })
                  .ok());
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->position, 13);
}

TEST_F(StatementRunnerTest, LargeTextsAndLargeResultsGoBothWaysAtOnce) {
  const std::string literal(1'000'000, 'x');
  const std::vector<std::string> texts(
      30, absl::StrCat("SELECT repeat('y', 1000), '", literal, "' FROM generate_series(1, 100)"));
  const auto told = Together(runner_, texts);
  ASSERT_EQ(told.size(), texts.size());
  EXPECT_EQ(told.back(), "29 SELECT 100 100");
}

TEST_F(StatementRunnerTest, NoticesComeBeforeTheEndOfTheirStatement) {
  std::vector<std::string> said;
  runner_.SetNoticeHandler([&](const ServerNotice& notice) { said.push_back(notice.message); });
  const std::vector<std::string> texts = {"DO $$ BEGIN RAISE NOTICE 'a'; END $$", "SELECT 1",
                                          "DO $$ BEGIN RAISE NOTICE 'b'; END $$"};
  ASSERT_TRUE(runner_
                  .RunTogether(BatchOf(texts, /*awaited=*/false),
                               [&](size_t i, const StatementResult&) {
                                 said.push_back(absl::StrCat(i));
                                 return absl::OkStatus();
                               })
                  .ok());
  EXPECT_THAT(said, ElementsAre("a", "0", "1", "b", "2"));
}

// The end of each is told while what follows it runs, not when all have ended.
TEST_F(StatementRunnerTest, TellsTheEndOfAnAwaitedOneAtOnce) {
  const std::vector<std::string> texts = {"SELECT 1", "SELECT pg_advisory_lock(4711)"};
  Connection holder(FormatConninfo(database_), absl::Seconds(30));
  StatementRunner holding(holder, "app");
  ASSERT_TRUE(holding.Run("SELECT pg_advisory_lock(4711)").ok());
  int told = 0;
  ASSERT_TRUE(runner_
                  .RunTogether(BatchOf(texts),
                               [&](size_t, const StatementResult&) {
                                 // Else both would wait for ever.
                                 if (told++ == 0)
                                   holding.Run("SELECT pg_advisory_unlock(4711)").IgnoreError();
                                 return absl::OkStatus();
                               })
                  .ok());
  EXPECT_EQ(told, 2);
}

TEST_F(StatementRunnerTest, SendsNoMoreToWhoHasEnough) {
  int asked = 0;
  const absl::Status status =
      runner_.RunTogether({10'000,
                           [&](size_t) -> StatementRunner::Query {
                             ++asked;
                             return {"SELECT 1", true};
                           }},
                          [](size_t i, const StatementResult&) {
                            return i == 5 ? absl::CancelledError("enough") : absl::OkStatus();
                          });
  EXPECT_EQ(status, absl::CancelledError("enough"));
  EXPECT_LT(asked, 1000);
  RunWell("SELECT 1");
}

TEST_F(StatementRunnerTest, RowsAreCountedAndNotKept) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer keeps what was freed for a while";
#endif
  const auto peak = [] {
    std::ifstream status("/proc/self/status");
    int64_t kilobytes = 0;
    for (std::string line; std::getline(status, line);) {
      if (absl::StartsWith(line, "VmHWM:")) kilobytes = std::strtoll(line.c_str() + 6, nullptr, 10);
    }
    return kilobytes;
  };
  // Whatever went before.
  std::ofstream("/proc/self/clear_refs") << "5";
  const int64_t before = peak();
  EXPECT_THAT(
      Together(runner_, {"SELECT 1", "SELECT repeat('x', 1000) FROM generate_series(1, 300000)"}),
      ElementsAre("0 SELECT 1 1", "1 SELECT 300000 300000"));
  EXPECT_LT(peak() - before, 100'000);
}

// The server keeps what it has to say until there is enough of it, or somebody asks.
TEST_F(StatementRunnerTest, ManyThatNobodyAwaitsDoNotWaitForOneAnother) {
  int told = 0;
  ASSERT_TRUE(runner_
                  .RunTogether(BatchOf(std::vector<std::string>(1000, "SELECT"), false),
                               [&](size_t, const StatementResult&) {
                                 ++told;
                                 return absl::OkStatus();
                               })
                  .ok());
  EXPECT_EQ(told, 1000);
}

// --- Sent ahead ---

class SentAheadTest : public StatementRunnerTest {
 protected:
  SentAheadTest() {
    RunWell("CREATE TABLE p (id int PRIMARY KEY)");
    RunWell("CREATE TABLE t (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED)");
  }

  // Runs `insert` in a transaction, and behind it `last`, with `next` ahead.
  absl::Status RunWithAhead(const std::string& insert, const std::string& last,
                            const std::vector<std::string>& next) {
    return runner_.RunTogether(
        BatchOf({"BEGIN", insert, last}),
        [&](size_t, const StatementResult& result) {
          return result.error ? absl::AbortedError(result.error->sqlstate) : absl::OkStatus();
        },
        StatementRunner::SentAhead{1, [next] { return BatchOf(next); }});
  }

  std::string CountRows() { return Query("SELECT count(*) FROM t"); }
};

TEST_F(SentAheadTest, IsTakenForTheBeginningOfTheNextCall) {
  const std::string insert = "INSERT INTO t VALUES (NULL)";
  for (const std::vector<std::string>& ahead :
       std::vector<std::vector<std::string>>{{"COMMIT"}, {"COMMIT", "BEGIN", insert, "COMMIT"}}) {
    RunWell("TRUNCATE t");
    ASSERT_TRUE(RunWithAhead(insert, "SELECT 1", ahead).ok());
    EXPECT_TRUE(runner_.HasSentAhead());
    const std::vector<std::string> told = Together(runner_, ahead);
    EXPECT_EQ(told.size(), ahead.size());
    EXPECT_EQ(told.front(), "0 COMMIT 0");
    EXPECT_FALSE(runner_.HasSentAhead());
    EXPECT_EQ(CountRows(), absl::StrCat(ahead.size() == 1 ? 1 : 2));
    RunWell("SELECT 1");
  }
}

TEST_F(SentAheadTest, MoreMayFollow) {
  StatementRunner::Batch commit = BatchOf({"COMMIT"});
  commit.has_more = true;
  ASSERT_TRUE(runner_
                  .RunTogether(
                      BatchOf({"BEGIN", "INSERT INTO t VALUES (NULL)", "SELECT 1"}),
                      [](size_t, const StatementResult&) { return absl::OkStatus(); },
                      StatementRunner::SentAhead{1, [&] { return commit; }})
                  .ok());
  EXPECT_THAT(Together(runner_, {"COMMIT", "SELECT 2", "SELECT 3"}),
              ElementsAre("0 COMMIT 0", "1 SELECT 1 1", "2 SELECT 1 1"));
  EXPECT_EQ(CountRows(), "1");
}

// It is sent while the last still runs, which waits for it.
TEST_F(SentAheadTest, IsSentAtOnce) {
  Connection holder(FormatConninfo(database_), absl::Seconds(30));
  StatementRunner holding(holder, "app");
  ASSERT_TRUE(holding.Run("SELECT pg_advisory_lock(4711)").ok());
  ASSERT_TRUE(runner_
                  .RunTogether(
                      BatchOf({"SELECT 1", "SELECT pg_advisory_lock(4711)"}),
                      [](size_t, const StatementResult&) { return absl::OkStatus(); },
                      StatementRunner::SentAhead{
                          0,
                          [&] {
                            holding.Run("SELECT pg_advisory_unlock(4711)").IgnoreError();
                            return BatchOf({"SELECT 2"});
                          }})
                  .ok());
  EXPECT_THAT(Together(runner_, {"SELECT 2"}), ElementsAre("0 SELECT 1 1"));
}

// What is large stands behind what takes long: the end of those before is told all the same.
TEST_F(SentAheadTest, NobodyWaitsUntilAllOfItIsSent) {
  Connection holder(FormatConninfo(database_), absl::Seconds(30));
  StatementRunner holding(holder, "app");
  ASSERT_TRUE(holding.Run("SELECT pg_advisory_lock(4711)").ok());
  const std::vector<std::string> next = {
      "COMMIT", "SELECT pg_advisory_lock(4711)",
      absl::StrCat("SELECT '", std::string(20'000'000, 'x'), "'")};
  ASSERT_TRUE(RunWithAhead("INSERT INTO t VALUES (NULL)", "SELECT 1", next).ok());
  // Else nobody would.
  ASSERT_TRUE(holding.Run("SELECT pg_advisory_unlock(4711)").ok());
  EXPECT_EQ(Together(runner_, next).size(), next.size());
  RunWell("SELECT 1");
}

TEST_F(SentAheadTest, MoreThanCanBeOnItsWayIsSentInTime) {
  std::vector<std::string> next(1000, "SELECT 1");
  next.front() = "COMMIT";
  ASSERT_TRUE(RunWithAhead("INSERT INTO t VALUES (NULL)", "SELECT 1", next).ok());
  EXPECT_EQ(Together(runner_, next).size(), next.size());
  EXPECT_EQ(CountRows(), "1");
}

TEST_F(SentAheadTest, MeetsABrokenTransactionIfOneBetweenIsRefused) {
  RunWell("CREATE SEQUENCE s");
  EXPECT_EQ(RunWithAhead("INSERT INTO t VALUES (NULL)", "SELECT 1/0",
                         {"SELECT", "COMMIT", "BEGIN", "SELECT nextval('s')"}),
            absl::AbortedError("22012"));
  EXPECT_FALSE(runner_.HasSentAhead());
  EXPECT_EQ(PQtransactionStatus(connection_.handle()), PQTRANS_INERROR);
  RunWell("ROLLBACK");
  EXPECT_EQ(CountRows(), "0");
  EXPECT_EQ(Query("SELECT is_called FROM s"), "f");
}

TEST_F(SentAheadTest, NothingRunsBehindItIfItIsRefused) {
  const std::vector<std::string> next = {"COMMIT", "BEGIN", "CREATE TABLE u ()", "COMMIT"};
  ASSERT_TRUE(RunWithAhead("INSERT INTO t VALUES (4711)", "SELECT 1", next).ok());
  EXPECT_THAT(Together(runner_, next), ElementsAre("0 23503 0"));
  EXPECT_EQ(CountRows(), "0");
  EXPECT_EQ(Query("SELECT to_regclass('u') IS NULL"), "t");
  RunWell("SELECT 1");
}

// Also if nothing more comes from us: the server knows that it waits, and in a transaction.
TEST_F(SentAheadTest, TheServerKnowsThatItWaits) {
  ASSERT_TRUE(
      RunWithAhead("INSERT INTO t VALUES (NULL)", "SELECT 1", {"COMMIT", "BEGIN", "SELECT 2"})
          .ok());
  EXPECT_TRUE(Eventually([&] {
    return Query(absl::StrCat("SELECT state FROM pg_stat_activity WHERE pid = ",
                              PQbackendPID(connection_.handle()))) == "idle in transaction";
  }));
  EXPECT_THAT(Together(runner_, {"COMMIT", "BEGIN", "SELECT 2"}),
              ElementsAre("0 COMMIT 0", "1 BEGIN 0", "2 SELECT 1 1"));
}

TEST_F(SentAheadTest, IsNotSentToWhoHasEnough) {
  const absl::Status status = runner_.RunTogether(
      BatchOf({"BEGIN", "INSERT INTO t VALUES (NULL)", "SELECT 1"}),
      [](size_t i, const StatementResult&) {
        return i == 1 ? absl::CancelledError("enough") : absl::OkStatus();
      },
      StatementRunner::SentAhead{1, [] { return BatchOf({"COMMIT"}); }});
  EXPECT_EQ(status, absl::CancelledError("enough"));
  EXPECT_FALSE(runner_.HasSentAhead());
  RunWell("ROLLBACK");
  EXPECT_EQ(CountRows(), "0");
}

TEST_F(SentAheadTest, AConnectionLostBetweenIsTold) {
  const absl::Status status =
      RunWithAhead("INSERT INTO t VALUES (NULL)", "SELECT pg_terminate_backend(pg_backend_pid())",
                   {"COMMIT", "BEGIN"});
  EXPECT_EQ(errors::ReasonOf(status), migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE);
  EXPECT_FALSE(runner_.HasSentAhead());
  EXPECT_EQ(CountRows(), "0");
}

TEST_F(StatementRunnerTest, ALostConnectionIsToldWhereItHappens) {
  absl::Status status;
  const auto told = Together(
      runner_, {"SELECT 1", "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 2"}, &status);
  EXPECT_EQ(errors::ReasonOf(status), migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE);
  EXPECT_THAT(told, ElementsAre("0 SELECT 1 1"));
}

}  // namespace
}  // namespace migd
