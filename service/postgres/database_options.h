// How to make a database that is like another one.
#pragma once

#include <pqxx/pqxx>
#include <string>

namespace migd {

// What follows the name in CREATE DATABASE, for the encoding and the collation of the database that
// `work` is in. Begins with a blank. Throws libpqxx's exceptions.
std::string CreateOptionsOf(pqxx::transaction_base& work);

}  // namespace migd
