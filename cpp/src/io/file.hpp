// Files as model files need them: read at given places, and written whole or not at all.
#pragma once

#include <cstdint>
#include <string>

namespace striate::io {

// A regular file opened for reading. Throws FileError.
class InputFile {
  public:
    explicit InputFile(std::string path);
    ~InputFile();
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;

    uint64_t size() const { return size_; }
    // Throws FileError when the system cannot read, and ValueError when the file ends before (it shrank since it was
    // opened).
    void read_at(uint64_t offset, void* out, size_t bytes) const;

  private:
    std::string path_;
    int descriptor_ = -1;
    uint64_t size_ = 0;
};

// A new file that takes the place of `path` at commit(), and until then lies beside it under another name. Without a
// commit nothing remains of it. Where `path` exists, its permissions are kept; where it is a symbolic link, the file
// that it points to is replaced. Throws FileError.
class AtomicFile {
  public:
    explicit AtomicFile(const std::string& path);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(const void* data, size_t bytes);
    // Flushes to the disk, renames, and flushes the folder, so that after a power cut there is either the old or the
    // new file.
    void commit();

  private:
    [[noreturn]] void fail_write(int code) const;

    std::string path_, target_, temporary_;
    int descriptor_ = -1;
};

}  // namespace striate::io
