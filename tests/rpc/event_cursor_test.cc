// A reader's place among events that come, are loaded, and may be taken back.
#include "service/rpc/event_cursor.h"

#include <memory>

#include "gtest/gtest.h"
#include "service/base/errors.h"

namespace migd {
namespace {

// An operation that has come to event `last`, none of which is in memory.
OperationRecord RecordAt(int64_t last) {
  OperationRecord record;
  record.operation.set_operation("7k2m");
  record.operation.set_state(migration::v1::Operation::STATE_RUNNING);
  record.operation.set_first_sequence(1);
  record.operation.set_last_sequence(last);
  return record;
}

StoredEvents EventsFrom(int64_t first, int64_t last) {
  StoredEvents events;
  for (int64_t sequence = first; sequence <= last; ++sequence) {
    auto event = std::make_shared<migration::v1::OperationEvent>();
    event->set_sequence(sequence);
    events.push_back(std::move(event));
  }
  return events;
}

class EventCursorTest : public ::testing::Test {
 protected:
  void MoveTo(int64_t last) { operation_->Mirror(RecordAt(last), {}); }

  const std::shared_ptr<Operation> operation_ = std::make_shared<Operation>(RecordAt(11));
};

TEST_F(EventCursorTest, GoesOnWithWhatWasLoaded) {
  EventCursor cursor(operation_, 9);
  EXPECT_TRUE(cursor.NeedsPage());
  ASSERT_TRUE(cursor.Add(EventsFrom(10, 11)).ok());
  EXPECT_EQ(cursor.Take()->sequence(), 10);
  EXPECT_EQ(cursor.Take()->sequence(), 11);
  EXPECT_FALSE(cursor.NeedsPage());
}

TEST_F(EventCursorTest, WaitsIfWhatWasToBeLoadedIsTakenBack) {
  EventCursor cursor(operation_, 10);
  EXPECT_TRUE(cursor.NeedsPage());
  MoveTo(10);
  EXPECT_TRUE(cursor.Add(StoredEvents()).ok());
  EXPECT_FALSE(cursor.NeedsPage());
  MoveTo(12);
  ASSERT_TRUE(cursor.Add(EventsFrom(11, 12)).ok());
  EXPECT_EQ(cursor.Take()->sequence(), 11);
}

TEST_F(EventCursorTest, SaysSoIfEventsAreMissing) {
  const auto pruned = migration::v1::ERROR_REASON_EVENTS_PRUNED;
  EventCursor cursor(operation_, 5);
  EXPECT_EQ(errors::ReasonOf(cursor.Add(StoredEvents())), pruned);
  EXPECT_EQ(errors::ReasonOf(cursor.Add(EventsFrom(8, 11))), pruned);
}

}  // namespace
}  // namespace migd
