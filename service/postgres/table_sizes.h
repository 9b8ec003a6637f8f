// How large relations are, for those who ask what an operation on them would take.
#pragma once

#include <map>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "service/database/database.h"

namespace migd {

// As Database::ReadTableSizes.
std::map<std::string, TableSize> ReadTableSizes(pqxx::transaction_base& work,
                                                const std::vector<std::string>& relations);

}  // namespace migd
