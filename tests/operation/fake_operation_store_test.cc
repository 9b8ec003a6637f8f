// The fake on which operations are tested keeps what every OperationStore promises.

#include "tests/support/fake_operation_store.h"

#include "tests/support/operation_store_contract.h"

namespace migd {
namespace {

INSTANTIATE_TEST_SUITE_P(Fake, OperationStoreContract, ::testing::Values(StoreFactory([] {
                           auto store = std::make_shared<FakeOperationStore>();
                           return StoreUnderTest{store, store.get()};
                         })));

}  // namespace
}  // namespace migd
