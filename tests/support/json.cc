#include "tests/support/json.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"

namespace migd {

Json Json::Parse(const std::string& text) {
  Json json;
  const auto status = google::protobuf::util::JsonStringToMessage(text, &json.value_);
  if (!status.ok()) ADD_FAILURE() << "no JSON (" << status.ToString() << "):\n" << text;
  return json;
}

std::vector<Json> Json::ParseLines(const std::string& text) {
  std::vector<Json> values;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    values.push_back(Parse(std::string(line)));
  }
  return values;
}

Json Json::operator[](const std::string& key) const {
  Json field;
  const auto found = value_.struct_value().fields().find(key);
  if (found != value_.struct_value().fields().end()) field.value_ = found->second;
  return field;
}

Json Json::operator[](int index) const {
  Json element;
  if (index < size()) element.value_ = value_.list_value().values(index);
  return element;
}

bool Json::Has(const std::string& key) const {
  return value_.struct_value().fields().contains(key);
}

std::set<std::string> Json::keys() const {
  std::set<std::string> names;
  for (const auto& [name, value] : value_.struct_value().fields()) names.insert(name);
  return names;
}

int Json::size() const { return value_.list_value().values_size(); }

std::string Json::text() const {
  if (value_.has_bool_value()) return value_.bool_value() ? "true" : "false";
  if (value_.has_number_value()) {
    return absl::StrCat(static_cast<int64_t>(value_.number_value()));
  }
  return value_.string_value();
}

std::vector<std::string> Json::texts() const {
  std::vector<std::string> texts;
  for (int i = 0; i < size(); ++i) texts.push_back((*this)[i].text());
  return texts;
}

std::vector<std::string> Json::texts(const std::string& key) const {
  std::vector<std::string> texts;
  for (int i = 0; i < size(); ++i) texts.push_back((*this)[i][key].text());
  return texts;
}

}  // namespace migd
