#include "service/database/audit_chain.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/message.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "service/base/sha256.h"
#include "service/base/trace_context.h"
#include "service/base/utf8.h"

namespace migd {
namespace {

using migration::v1::AuditEntry;
using migration::v1::AuditProblem;
using migration::v1::Operation;

constexpr size_t kLongestText = 1000;
constexpr int kMostProblems = 100;

// "Upgrade" of ACTION_UPGRADE.
std::string RpcOf(migration::v1::Action action) {
  std::string name =
      absl::AsciiStrToLower(absl::StripPrefix(migration::v1::Action_Name(action), "ACTION_"));
  name[0] = absl::ascii_toupper(static_cast<unsigned char>(name[0]));
  return name;
}

// A field of the options as a person says it: "lint=off", "lock_timeout=2s", "resume".
std::string OptionText(const google::protobuf::Message& options,
                       const google::protobuf::FieldDescriptor& field) {
  using Field = google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection& fields = *options.GetReflection();
  if (field.is_repeated()) {
    std::vector<std::string> values;
    for (int i = 0; i < fields.FieldSize(options, &field); ++i) {
      values.push_back(fields.GetRepeatedString(options, &field, i));
    }
    return absl::StrCat(field.name(), "=", absl::StrJoin(values, ","));
  }
  switch (field.cpp_type()) {
    case Field::CPPTYPE_BOOL:
      return field.name();
    case Field::CPPTYPE_INT32:
      return absl::StrCat(field.name(), "=", fields.GetInt32(options, &field));
    case Field::CPPTYPE_STRING:
      return absl::StrCat(field.name(), "=", fields.GetString(options, &field));
    case Field::CPPTYPE_ENUM: {
      const google::protobuf::EnumValueDescriptor* value = fields.GetEnum(options, &field);
      // The names of an enumeration begin as that of the value that means nothing.
      const std::string& nothing = value->type()->FindValueByNumber(0)->name();
      const absl::string_view prefix = absl::StripSuffix(nothing, "UNSPECIFIED");
      return absl::StrCat(field.name(), "=",
                          absl::AsciiStrToLower(absl::StripPrefix(value->name(), prefix)));
    }
    default: {
      google::protobuf::Duration duration;
      duration.CopyFrom(fields.GetMessage(options, &field));
      return absl::StrCat(field.name(), "=", absl::FormatDuration(FromProtoDuration(duration)));
    }
  }
}

// "lint=off, resume": the options that are not the usual ones.
std::string OptionsText(const migration::v1::RunOptions& options) {
  std::vector<const google::protobuf::FieldDescriptor*> set;
  options.GetReflection()->ListFields(options, &set);
  return absl::StrJoin(set, ", ", [&options](std::string* text, const auto* field) {
    absl::StrAppend(text, OptionText(options, *field));
  });
}

AuditEntry EntryOf(const Operation& operation) {
  AuditEntry entry;
  entry.set_principal(operation.requested_by());
  entry.set_address(operation.requester_address());
  entry.set_rpc(RpcOf(operation.action()));
  entry.set_operation(operation.operation());
  entry.set_request_id(operation.request_id());
  entry.set_trace_id(TraceIdOf(operation.traceparent()));
  entry.set_server(operation.server());
  entry.set_count(1);
  return entry;
}

AuditEntry::Outcome OutcomeOf(Operation::State state) {
  switch (state) {
    case Operation::STATE_SUCCEEDED:
      return AuditEntry::OUTCOME_SUCCEEDED;
    case Operation::STATE_CANCELLED:
      return AuditEntry::OUTCOME_CANCELLED;
    default:
      return AuditEntry::OUTCOME_FAILED;
  }
}

std::string StorableText(absl::string_view text) {
  const std::string valid = ToValidUtf8(text);
  std::string plain;
  for (const char c : valid) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      absl::StrAppend(&plain, absl::CHexEscape(absl::string_view(&c, 1)));
    } else {
      plain += c;
    }
  }
  return Shortened(plain, kLongestText);
}

}  // namespace

std::string HashOf(const AuditEntry& entry) {
  Sha256 hash;
  const auto add = [&hash](absl::string_view field) {
    hash.Update(absl::StrCat(field.size(), ":", field, ","));
  };
  add(entry.previous_hash());
  add(absl::StrCat(entry.number()));
  add(absl::StrCat(absl::ToUnixMicros(FromProtoTimestamp(entry.time()))));
  add(entry.principal());
  add(entry.address());
  add(entry.rpc());
  add(entry.request());
  add(absl::StripPrefix(AuditEntry::Outcome_Name(entry.outcome()), "OUTCOME_"));
  add(entry.reason());
  add(entry.operation());
  add(entry.request_id());
  add(entry.trace_id());
  add(entry.server());
  add(absl::StrCat(entry.count()));
  return hash.FinishHex();
}

AuditEntry AcceptedEntry(const Operation& operation) {
  AuditEntry entry = EntryOf(operation);
  entry.set_outcome(AuditEntry::OUTCOME_ACCEPTED);
  std::string request = absl::StrJoin(operation.targets(), " ");
  if (operation.purge()) absl::StrAppend(&request, " purge");
  const std::string options = OptionsText(operation.options());
  if (!options.empty()) absl::StrAppend(&request, " (", options, ")");
  entry.set_request(std::move(request));
  return entry;
}

AuditEntry FinishedEntry(const Operation& operation) {
  AuditEntry entry = EntryOf(operation);
  entry.set_outcome(OutcomeOf(operation.state()));
  entry.set_reason(operation.error().reason());
  return entry;
}

AuditEntry RefusedEntry(absl::string_view rpc, absl::string_view address, const absl::Status& why) {
  AuditEntry entry;
  const migration::v1::Error error = errors::ToProto(why);
  const auto principal = error.metadata().find("principal");
  entry.set_principal(principal == error.metadata().end() ? "unknown" : principal->second);
  entry.set_address(std::string(address));
  entry.set_rpc(std::string(rpc));
  entry.set_outcome(AuditEntry::OUTCOME_REFUSED);
  entry.set_reason(error.reason());
  entry.set_count(1);
  return entry;
}

AuditEntry Storable(AuditEntry entry) {
  for (std::string* text :
       {entry.mutable_principal(), entry.mutable_address(), entry.mutable_rpc(),
        entry.mutable_request(), entry.mutable_reason(), entry.mutable_operation(),
        entry.mutable_request_id(), entry.mutable_trace_id(), entry.mutable_server()}) {
    *text = StorableText(*text);
  }
  return entry;
}

std::string ReasonName(migration::v1::ErrorReason reason) {
  return std::string(absl::StripPrefix(migration::v1::ErrorReason_Name(reason), "ERROR_REASON_"));
}

ChainChecker::ChainChecker(int64_t known_number, std::string known_hash)
    : known_number_(known_number), known_hash_(std::move(known_hash)) {}

void ChainChecker::Report(AuditProblem::Kind kind, int64_t number, std::string message) {
  if (result_.problems_size() == kMostProblems) return;
  AuditProblem& problem = *result_.add_problems();
  problem.set_kind(kind);
  problem.set_number(number);
  problem.set_message(std::move(message));
}

void ChainChecker::Add(const AuditEntry& entry) {
  const int64_t expected = result_.newest_number() + 1;
  if (entry.number() != expected) {
    Report(AuditProblem::KIND_MISSING, entry.number(),
           entry.number() == expected + 1
               ? absl::StrCat("entry ", expected, " is missing")
               : absl::StrCat("entries ", expected, " to ", entry.number() - 1, " are missing"));
  } else if (entry.previous_hash() != result_.newest_hash()) {
    Report(AuditProblem::KIND_UNLINKED, entry.number(),
           absl::StrCat("entry ", entry.number(), " does not follow on entry ", expected - 1,
                        ": one of them was replaced"));
  }
  if (HashOf(entry) != entry.hash()) {
    Report(AuditProblem::KIND_CHANGED, entry.number(),
           absl::StrCat("entry ", entry.number(), " was changed after it was written"));
  }
  if (entry.number() == known_number_) {
    known_seen_ = true;
    if (entry.hash() != known_hash_) {
      Report(AuditProblem::KIND_CUT_OFF, entry.number(),
             absl::StrCat("entry ", entry.number(),
                          " is another than the one that was known: it was written anew"));
    }
  }
  result_.set_entry_count(result_.entry_count() + 1);
  result_.set_newest_number(entry.number());
  result_.set_newest_hash(entry.hash());
}

migration::v1::VerifyAuditResponse ChainChecker::Finish() {
  if (known_number_ > 0 && !known_seen_) {
    Report(AuditProblem::KIND_CUT_OFF, known_number_,
           absl::StrCat("entry ", known_number_, ", which was known, is not there; the newest is ",
                        result_.newest_number()));
  }
  result_.set_intact(result_.problems_size() == 0);
  return std::move(result_);
}

}  // namespace migd
