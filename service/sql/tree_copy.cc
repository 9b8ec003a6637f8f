#include "service/sql/tree_copy.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace migd {
namespace {

constexpr size_t kBlock = 4096;

void* CopyOfBytes(const void* bytes, size_t size, TreeMemory& memory) {
  return std::memcpy(memory.Allocate(size), bytes, size);
}

template <typename T>
T& At(ProtobufCMessage& message, size_t offset) {
  return *reinterpret_cast<T*>(reinterpret_cast<char*>(&message) + offset);
}

// Messages that are still to be copied: where the pointers to them are.
using Pending = std::vector<ProtobufCMessage**>;

// `value`, which is of the field's type, has been copied as it is: copies what it points to, but
// for messages.
void CopyBeneath(const ProtobufCFieldDescriptor& field, void* value, TreeMemory& memory,
                 Pending& pending) {
  switch (field.type) {
    case PROTOBUF_C_TYPE_MESSAGE: {
      auto* child = static_cast<ProtobufCMessage**>(value);
      if (*child != nullptr) pending.push_back(child);
      return;
    }
    case PROTOBUF_C_TYPE_STRING: {
      auto& text = *static_cast<char**>(value);
      if (text == nullptr || text == field.default_value) return;
      text = static_cast<char*>(CopyOfBytes(text, std::strlen(text) + 1, memory));
      return;
    }
    case PROTOBUF_C_TYPE_BYTES: {
      auto& bytes = *static_cast<ProtobufCBinaryData*>(value);
      if (bytes.data == nullptr) return;
      bytes.data = static_cast<uint8_t*>(CopyOfBytes(bytes.data, bytes.len, memory));
      return;
    }
    default:
      return;
  }
}

size_t SizeOf(ProtobufCType type) {
  switch (type) {
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_STRING:
      return sizeof(void*);
    case PROTOBUF_C_TYPE_BYTES:
      return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
      return sizeof(int64_t);
    case PROTOBUF_C_TYPE_BOOL:
      return sizeof(protobuf_c_boolean);
    default:
      return sizeof(int32_t);
  }
}

void CopyField(ProtobufCMessage& copy, const ProtobufCFieldDescriptor& field, TreeMemory& memory,
               Pending& pending) {
  if (field.label != PROTOBUF_C_LABEL_REPEATED) {
    return CopyBeneath(field, &At<char>(copy, field.offset), memory, pending);
  }
  const size_t count = At<size_t>(copy, field.quantifier_offset);
  if (count == 0) return;
  const size_t size = SizeOf(field.type);
  auto& values = At<char*>(copy, field.offset);
  values = static_cast<char*>(CopyOfBytes(values, count * size, memory));
  for (size_t i = 0; i < count; ++i) CopyBeneath(field, values + i * size, memory, pending);
}

ProtobufCMessage* CopyOfMessage(const ProtobufCMessage& message, TreeMemory& memory,
                                Pending& pending) {
  const ProtobufCMessageDescriptor& type = *message.descriptor;
  auto* copy = static_cast<ProtobufCMessage*>(CopyOfBytes(&message, type.sizeof_message, memory));
  if (message.descriptor == &pg_query__node__descriptor) {
    // A field for every kind of node, of which one is there.
    const auto kind = static_cast<unsigned>(reinterpret_cast<PgQuery__Node*>(copy)->node_case);
    const auto* field = protobuf_c_message_descriptor_get_field(&type, kind);
    if (field != nullptr) CopyField(*copy, *field, memory, pending);
    return copy;
  }
  for (unsigned i = 0; i < type.n_fields; ++i) {
    const ProtobufCFieldDescriptor& field = type.fields[i];
    // Of a oneof, the one that is there.
    const bool is_absent = (field.flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
                           At<uint32_t>(*copy, field.quantifier_offset) != field.id;
    if (!is_absent) CopyField(*copy, field, memory, pending);
  }
  return copy;
}

}  // namespace

void* TreeMemory::Allocate(size_t size) {
  constexpr size_t kAlignment = alignof(std::max_align_t);
  size = (size + kAlignment - 1) / kAlignment * kAlignment;
  if (blocks_.empty() || size > size_ - used_) {
    size_ = std::max(size, kBlock);
    used_ = 0;
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(size_));
  }
  return blocks_.back().get() + std::exchange(used_, used_ + size);
}

ProtobufCMessage* CopyOf(const ProtobufCMessage& message, TreeMemory& memory) {
  Pending pending;
  ProtobufCMessage* const root = CopyOfMessage(message, memory, pending);
  while (!pending.empty()) {
    ProtobufCMessage*& child = *pending.back();
    pending.pop_back();
    child = CopyOfMessage(*child, memory, pending);
  }
  return root;
}

}  // namespace migd
