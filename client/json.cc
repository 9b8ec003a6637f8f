#include "client/json.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"

namespace migctl {

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  // Fails only for well-known types with values out of range, such as a year beyond 9999.
  if (!status.ok()) return absl::StrCat("{\"unprintable\":\"", message.GetTypeName(), "\"}");
  return json;
}

std::string ErrorJson(const migration::v1::Error& error) {
  return absl::StrCat("{\"error\":", ToJson(error), "}");
}

}  // namespace migctl
