// Files as model files need them: read at given places, and written whole or not at all.
#pragma once

#include <cstdint>
#include <string>

namespace striate::io {

// A regular file opened for reading. Throws FileError, and ValueError where the path holds a null byte.
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

// A new file that takes the place of `path` at commit(). Until then it is a temporary file in the same folder.
//
// A regular file at `path` is replaced and its permissions are kept. A symbolic link is followed, also where it leads
// to nothing, as open() does. A character device or a pipe is written in place. Without a commit the temporary file is
// removed. A temporary file that a killed process left is removed by the next AtomicFile in that folder.
// Throws FileError, and ValueError where `path` holds a null byte.
class AtomicFile {
  public:
    // overwrite: whether an existing file may be replaced; if not, it fails with EEXIST, at the latest in commit().
    // flush: whether the content must survive a power cut.
    explicit AtomicFile(const std::string& path, bool overwrite = true, bool flush = true);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(const void* data, size_t bytes);
    // Flushes to the disk, renames, and flushes the folder. After a power cut there is either the old or the new file.
    void commit();

  private:
    // Closes what it owns.
    struct Descriptor {
        Descriptor() = default;
        ~Descriptor() { reset(-1); }
        Descriptor(const Descriptor&) = delete;
        Descriptor& operator=(const Descriptor&) = delete;
        void reset(int next);
        int value = -1;
    };
    [[noreturn]] void fail_write(int code, const char* what = "cannot write the file") const;
    void create_temporary();

    std::string path_, target_, temporary_;  // POSIX: the last two are names within folder_
    bool overwrite_, flush_, in_place_ = false;
    Descriptor folder_, file_;
};

// Throws ValueError where a path holds a null byte: the system would read it up to there.
void check_path(const std::string& path);

}  // namespace striate::io
