// What the statements of a plan do, and what they destroy, in words of consequence. Everything that
// comes from the server is escaped. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "client/output.h"
#include "migration/v1/migration_service.pb.h"

namespace migctl {

using LossList = google::protobuf::RepeatedPtrField<migration::v1::Loss>;
using UnknownList = google::protobuf::RepeatedPtrField<migration::v1::UnknownStatement>;

// The sizes of the relations that a plan mentions, by name, as "1.2 GB, ~4,000,000 rows".
using RelationSizes = std::map<std::string, std::string>;
RelationSizes SizesIn(const migration::v1::PlanResponse& response);

// "1.2 GB, ~4,000,000 rows"; what is not known (-1) is left out, or said to be unknown.
std::string SizeAndRowsText(int64_t bytes, int64_t rows);

// The lines of one step's statements, indented. Those that stand in nobody's way take one line, or
// one together.
std::string StepDetails(const migration::v1::Step& step, const RelationSizes& sizes,
                        const TextSettings& settings);

// "table public.orders: ~4,000,000 rows, 1.2 GB, with schema app". What is empty says so.
std::string LossText(const migration::v1::Loss& loss);

// One line for each loss, indented, and, if there are several, what they are together. `omitted`
// more are only counted.
std::string LossesText(const LossList& losses, int omitted, const TextSettings& settings);

// Statements of which nobody knows what they destroy, a line each, with how many are left out.
std::string UnknownText(const UnknownList& statements, int omitted, const TextSettings& settings);

}  // namespace migctl
