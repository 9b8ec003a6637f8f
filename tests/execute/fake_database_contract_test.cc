// The fake on which the engine is tested keeps what every Database promises.

#include "tests/support/database_contract.h"
#include "tests/support/fake_database.h"

namespace migd {
namespace {

INSTANTIATE_TEST_SUITE_P(Fake, DatabaseContract, ::testing::Values(DatabaseFactory([] {
                           return std::make_unique<FakeDatabase>();
                         })));

}  // namespace
}  // namespace migd
