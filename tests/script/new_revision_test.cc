#include "service/script/new_revision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "service/base/errors.h"
#include "service/revision/lineage.h"
#include "service/script/migration_text.h"
#include "tests/support/graph.h"

namespace migd {
namespace {

using ::testing::ElementsAre;
using testing::File;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

ScriptSet ScriptsOf(const std::vector<File>& files) {
  std::vector<std::shared_ptr<const MigrationFile>> parsed;
  std::vector<Revision> revisions;
  for (const Revision& revision : testing::Revisions(files)) {
    parsed.push_back(
        MigrationFile::Parse(revision.path, MigrationText(revision, {}, absl::nullopt)).file);
    revisions.push_back(parsed.back()->revision());
  }
  return ScriptSet(*RevisionGraph::Create(std::move(revisions)), std::move(parsed));
}

absl::StatusOr<ComposedRevision> Compose(const std::vector<File>& files, NewRevision wanted) {
  if (wanted.message.empty() && !wanted.merge) wanted.message = "x";
  absl::BitGen random;
  return ComposeRevision(ScriptsOf(files), std::move(wanted), absl::FromUnixSeconds(1700000000),
                         random);
}

// The header of what is composed, which must be possible.
Revision Composed(const std::vector<File>& files, NewRevision wanted) {
  const auto composed = Compose(files, std::move(wanted));
  if (composed.ok()) return composed->scripts.graph().revision(composed->index);
  ADD_FAILURE() << composed.status();
  return {};
}

// "REASON: message" of the refusal.
std::string Refusal(const std::vector<File>& files, NewRevision wanted) {
  const auto composed = Compose(files, std::move(wanted));
  if (composed.ok()) return "was composed";
  return absl::StrCat(errors::ReasonName(errors::ReasonOf(composed.status())), ": ",
                      std::string(composed.status().message()));
}

const std::vector<File> kNone;
const std::vector<File> kChain = {{"a1"}, {"a2", "a1"}};
const std::vector<File> kTwoHeads = {
    {"a1", {}, {}, "core"}, {"a2", "a1"}, {"b2", "a1"}, {"c3", "b2"}};

TEST(NewRevision, RevisesTheHead) {
  EXPECT_THAT(Composed(kChain, {}).down_revisions, ElementsAre("a2"));
  EXPECT_THAT(Composed(kNone, {}).down_revisions, IsEmpty());
}

TEST(NewRevision, IsAFileThatRunsNothingYet) {
  const auto composed = Compose(kChain, {.message = " Add invoices ", .id = "7c20"});
  ASSERT_TRUE(composed.ok()) << composed.status();
  const MigrationFile& file = composed->scripts.file(composed->index);
  EXPECT_EQ(file.contents(),
            "-- Add invoices\n--\n-- Revision ID: 7c20\n-- Revises: a2\n-- Branch Labels:\n"
            "-- Depends On:\n-- Create Date: 2023-11-14 22:13:20\n\n-- migrate:up\n\n"
            "-- migrate:down\n");
  EXPECT_EQ(file.revision().path, "7c20_add_invoices.sql");
  EXPECT_THAT(Ids(composed->scripts.graph(), composed->scripts.graph().heads()),
              ElementsAre("7c20"));
}

TEST(NewRevision, HasAnIdAsAlembicMakesThem) {
  const std::string id = Composed(kChain, {}).id;
  EXPECT_THAT(id, MatchesRegex("[0-9a-f]{12}"));
  EXPECT_NE(Composed(kChain, {}).id, id);
}

TEST(NewRevision, ARandomIdThatIsTakenIsNotUsed) {
  // The same seed makes the same id.
  std::mt19937_64 first(7);
  std::mt19937_64 second(7);
  const auto once = ComposeRevision(ScriptsOf(kNone), {.message = "x"}, absl::Now(), first);
  const auto again = ComposeRevision(once->scripts, {.message = "x"}, absl::Now(), second);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->scripts.graph().size(), 2);
}

TEST(NewRevision, HeadsAreSymbolsAmongTheFiles) {
  EXPECT_THAT(Composed(kChain, {.heads = {"base"}}).down_revisions, IsEmpty());
  EXPECT_THAT(Composed(kTwoHeads, {.heads = {"c3"}}).down_revisions, ElementsAre("c3"));
  EXPECT_THAT(Composed(kTwoHeads, {.heads = {"c3@head"}}).down_revisions, ElementsAre("c3"));
  EXPECT_THAT(Composed(kTwoHeads, {.heads = {"b2+1"}}).down_revisions, ElementsAre("c3"));
  EXPECT_THAT(Composed(kTwoHeads, {.heads = {"heads"}}).down_revisions, ElementsAre("a2", "c3"));
  EXPECT_THAT(Refusal(kChain, {.heads = {"current"}}), HasSubstr("INVALID_SYMBOL"));
  EXPECT_THAT(Refusal(kChain, {.heads = {"+1"}}), HasSubstr("INVALID_SYMBOL"));
  EXPECT_THAT(Refusal(kChain, {.heads = {"zz"}}), HasSubstr("UNKNOWN_REVISION"));
  EXPECT_THAT(Refusal(kChain, {.heads = {"a1:a2"}}), HasSubstr("INVALID_SYMBOL"));
}

TEST(NewRevision, HeadMustBeOne) {
  EXPECT_THAT(Refusal(kTwoHeads, {}), HasSubstr("MULTIPLE_HEADS: \"head\" is not one revision"));
  EXPECT_THAT(Refusal(kTwoHeads, {.heads = {"core@head"}}), HasSubstr("MULTIPLE_HEADS"));
}

TEST(NewRevision, WhatIsNoHeadTakesSplice) {
  EXPECT_THAT(Refusal(kChain, {.heads = {"a1"}}),
              HasSubstr("NOT_A_HEAD: revision a1 is not a head: a2 revises it"));
  EXPECT_THAT(Composed(kChain, {.heads = {"a1"}, .splice = true}).down_revisions,
              ElementsAre("a1"));
}

TEST(NewRevision, AMergeTakesTwoOrMoreThatAreNotTheSame) {
  EXPECT_THAT(Composed(kTwoHeads, {.heads = {"a2", "c3"}, .merge = true}).down_revisions,
              ElementsAre("a2", "c3"));
  EXPECT_THAT(Refusal(kTwoHeads, {.merge = true}), HasSubstr("name the revisions to merge"));
  EXPECT_THAT(Refusal(kTwoHeads, {.heads = {"a2"}, .merge = true}),
              HasSubstr("INVALID_REQUEST: heads: nothing to merge"));
  EXPECT_THAT(Refusal(kChain, {.heads = {"heads"}, .merge = true}), HasSubstr("nothing to merge"));
  EXPECT_THAT(Refusal(kNone, {.heads = {"heads"}, .merge = true}), HasSubstr("nothing to merge"));
  EXPECT_THAT(Refusal(kTwoHeads, {.heads = {"a2", "a2"}, .merge = true}),
              HasSubstr("a2 is named twice"));
  EXPECT_THAT(Refusal(kTwoHeads, {.heads = {"a2", "base"}, .merge = true}),
              HasSubstr("base goes with no other revision"));
  EXPECT_THAT(Refusal(kTwoHeads, {.heads = {"a2", "b2"}, .merge = true}), HasSubstr("NOT_A_HEAD"));
  EXPECT_THAT(Refusal(kTwoHeads, {.heads = {"b2", "c3"}, .splice = true, .merge = true}),
              HasSubstr("OVERLAPPING_REVISIONS: revision b2 overlaps with c3"));
}

TEST(NewRevision, MergeOfHeadsLeavesOutThoseThatOthersDependOn) {
  const std::vector<File> files = {{"a1"}, {"b1"}, {"c1", {}, "a1"}};
  EXPECT_THAT(Composed(files, {.heads = {"heads"}, .merge = true}).down_revisions,
              ElementsAre("b1", "c1"));
  // Named, it is a head as any other.
  EXPECT_THAT(Composed(files, {.heads = {"a1", "c1"}, .merge = true}).down_revisions,
              ElementsAre("a1", "c1"));
}

TEST(NewRevision, AMergeWithoutAMessageSaysWhatItMerges) {
  EXPECT_EQ(Composed(kTwoHeads, {.heads = {"heads"}, .merge = true}).message, "merge a2 and c3");
  const std::vector<File> files = {{"a1"}, {"b1"}, {"c1"}};
  EXPECT_EQ(Composed(files, {.heads = {"heads"}, .merge = true}).message, "merge a1, b1 and c1");
  EXPECT_EQ(Composed(files, {.message = "one again", .heads = {"heads"}, .merge = true}).message,
            "one again");
}

TEST(NewRevision, DependenciesBecomeFullIdsAndLabelsStay) {
  EXPECT_THAT(
      Composed(kTwoHeads, {.heads = {"base"}, .depends_on = {"core", "c3@head", "a2"}}).depends_on,
      ElementsAre("core", "c3", "a2"));
  EXPECT_THAT(Refusal(kTwoHeads, {.heads = {"base"}, .depends_on = {"heads"}}),
              HasSubstr("names several revisions"));
  EXPECT_THAT(Refusal(kTwoHeads, {.heads = {"base"}, .depends_on = {"base"}}),
              HasSubstr("names no revision"));
  EXPECT_THAT(Refusal(kTwoHeads, {.heads = {"base"}, .depends_on = {"zz"}}),
              HasSubstr("UNKNOWN_REVISION"));
}

TEST(NewRevision, TheIdMustBeFreeAndFit) {
  EXPECT_EQ(Refusal(kChain, {.id = "a1"}),
            "REVISION_EXISTS: the revision id a1 is taken by a1.sql");
  EXPECT_THAT(Refusal(kTwoHeads, {.heads = {"c3"}, .id = "core"}), HasSubstr("LABEL_EXISTS"));
  for (const char* id : {"a-1", "a@1", "a+1", "a:1", "a,1", "a 1", "a/1", ".a1", "head", "base",
                         "current", "123456789012345678901234567890123"}) {
    EXPECT_THAT(Refusal(kChain, {.id = id}), HasSubstr("INVALID_REQUEST: revision: ")) << id;
  }
  EXPECT_EQ(Composed(kChain, {.id = "1.2"}).id, "1.2");
}

TEST(NewRevision, LabelsMustBeFree) {
  EXPECT_THAT(Composed(kChain, {.branch_labels = {"core", "billing"}}).branch_labels,
              ElementsAre("core", "billing"));
  EXPECT_EQ(Refusal(kTwoHeads, {.heads = {"c3"}, .branch_labels = {"core"}}),
            "LABEL_EXISTS: the branch label core is taken by a1.sql");
  EXPECT_THAT(Refusal(kChain, {.branch_labels = {"a1"}}), HasSubstr("LABEL_EXISTS"));
  EXPECT_THAT(Refusal(kChain, {.branch_labels = {"x", "x"}}), HasSubstr("named twice"));
  EXPECT_THAT(Refusal(kChain, {.branch_labels = {"7c20"}, .id = "7c20"}),
              HasSubstr("is the id itself"));
  EXPECT_THAT(Refusal(kChain, {.branch_labels = {"a b"}}), HasSubstr("whitespace"));
}

TEST(NewRevision, TheMessageIsOneLineThatTheHeaderCanHold) {
  absl::BitGen random;
  const auto composed = ComposeRevision(ScriptsOf(kChain), {}, absl::Now(), random);
  EXPECT_THAT(std::string(composed.status().message()), HasSubstr("message: is empty"));
  EXPECT_THAT(Refusal(kChain, {.message = "a\nb"}), HasSubstr("has several lines"));
  EXPECT_EQ(Refusal(kChain, {.message = "a\x1b[31mb"}),
            "INVALID_REQUEST: message: \"a\\x1b[31mb\" has a control character in it; write it "
            "without");
  for (const char* message : {"Revises: a1", "migrate:up", "depends on: x", "\xff"}) {
    EXPECT_THAT(Refusal(kChain, {.message = message}),
                HasSubstr("would not be read back as the message"))
        << message;
  }
  for (const char* message : {"note: x", "-- x", "Таблица", "a; DROP TABLE x", "*/"}) {
    EXPECT_EQ(Composed(kChain, {.message = message}).message, message);
  }
}

}  // namespace
}  // namespace migd
