// What protobuf does at each start of a program takes longer than the call of a migctl: it reads
// the descriptors of all messages, of which JSON alone needs some. It reads those of a file as well
// when one of them is first asked for (protobuf 3.21, AssignDescriptors). So migctl leaves out the
// first: the linker puts this (--wrap) in the place of the constructor that the generated code
// calls before main. Looking a message up by a name that nobody has asked for yet would not find
// it; migctl does not do that.

namespace migctl {

// By the name that --wrap gives to what stands for AddDescriptorsRunner(const DescriptorTable*).
void LeaveOutDescriptors(void* runner, const void* table) asm(
    "__wrap__ZN6google8protobuf8internal20AddDescriptorsRunnerC1EPKNS1_15DescriptorTableE");

void LeaveOutDescriptors(void* /*runner*/, const void* /*table*/) {}

}  // namespace migctl
