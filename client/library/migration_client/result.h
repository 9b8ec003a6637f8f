// What a call answered, or why it failed.
#pragma once

#include <utility>
#include <variant>

#include "migration/v1/error.pb.h"

namespace migration_client {

// Either a value or an error: the code, reason, message, hint and facts that the service gave.
template <typename T>
class Result {
 public:
  Result(T value) : content_(std::move(value)) {}  // NOLINT: so that functions can return either
  Result(migration::v1::Error error) : content_(std::move(error)) {}  // NOLINT

  bool ok() const { return std::holds_alternative<T>(content_); }

  // Only if ok.
  T& value() { return std::get<T>(content_); }
  const T& value() const { return std::get<T>(content_); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Only if not ok.
  const migration::v1::Error& error() const { return std::get<migration::v1::Error>(content_); }

 private:
  std::variant<T, migration::v1::Error> content_;
};

}  // namespace migration_client
