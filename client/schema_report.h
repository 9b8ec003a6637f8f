// Schemas that differ, for people. Pure; safe from any thread.
#pragma once

#include <string>

#include "client/output.h"
#include "migration/v1/migration_service.pb.h"

namespace migctl {

// Each difference with both definitions: lines of the files' with a minus, of the database's with a
// plus. Empty for none.
//
//   different  column public.users.name
//                type
//                - character varying(40)
//                + text
std::string DifferencesText(
    const google::protobuf::RepeatedPtrField<migration::v1::SchemaDifference>& differences,
    const Style& style);

// The differences, and a line that counts.
std::string VerifyText(const migration::v1::VerifyResponse& response, const TextSettings& settings);

// What an operation found: the differences with a line about the signs and about those left out.
// Empty for none.
std::string ComparisonText(const migration::v1::SchemaCompared& compared, const Style& style);

// The lines of both texts in one: common ones with two spaces before them, those only in `old_text`
// with "- ", those only in `new_text` with "+ ".
std::string LineDifference(absl::string_view old_text, absl::string_view new_text,
                           absl::string_view indent, const Style& style);

}  // namespace migctl
