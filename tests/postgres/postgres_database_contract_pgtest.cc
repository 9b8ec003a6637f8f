// PostgreSQL keeps what every Database promises.

#include "service/postgres/postgres_database.h"
#include "tests/support/database_contract.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

INSTANTIATE_TEST_SUITE_P(Postgres, DatabaseContract, ::testing::Values(DatabaseFactory([] {
                           return std::make_unique<PostgresDatabase>(
                               TestCluster::NewDatabaseOptions());
                         })));

}  // namespace
}  // namespace migd
