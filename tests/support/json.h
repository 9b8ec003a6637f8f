// JSON as a script reads it: by the names of the fields, without the proto.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "google/protobuf/struct.pb.h"

namespace migd {

// A value. What is not there is null, as in jq; a text that is no JSON fails the test.
class Json {
 public:
  static Json Parse(const std::string& text);
  // One value per line.
  static std::vector<Json> ParseLines(const std::string& text);

  Json operator[](const std::string& key) const;
  Json operator[](int index) const;
  bool Has(const std::string& key) const;

  // The names of an object's fields.
  std::set<std::string> keys() const;
  // How many elements a list has.
  int size() const;
  // A string as it is, a number without a fraction, true or false; empty for all else.
  std::string text() const;
  // The elements of a list, each as text.
  std::vector<std::string> texts() const;
  // The field `key` of each element of a list, as text.
  std::vector<std::string> texts(const std::string& key) const;

 private:
  google::protobuf::Value value_;
};

}  // namespace migd
