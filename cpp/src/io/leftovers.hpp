// Temporary files of AtomicFile (POSIX): their names, and the removal of those that killed processes left.
#pragma once

#include <string>

namespace striate::io {

// ".striate-HOST-PID-COUNT.tmp", at most 48 bytes. HOST is a hash that tells one start of one machine from others.
std::string temporary_name();

// Locks a temporary file that was just created, as long as its descriptor is open; the lock is gone with the process.
// False where remove_leftovers() of another process came first; the file must then be given up.
bool claim_temporary(int file);

// Removes temporary files in a folder whose writers are dead: files without a lock. A file system may not share locks
// between machines: files of another HOST are removed only if they have not been written for a day. Ignores failures.
// A large folder is not looked through at every call, so that this takes no more than one hundredth of the time.
void remove_leftovers(int folder) noexcept;

}  // namespace striate::io
