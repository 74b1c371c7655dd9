// IDX files (striate/idx.hpp).
#include "striate/error.hpp"
#include "striate/idx.hpp"
#include "support.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static fuzz::MemoryFile file;
    const std::string& path = file.put(data, size);
    const fuzz::MemoryBound bound(size);
    try {
        const striate::IdxArray array = striate::read_idx(path);
        fuzz::check(striate::element_count(array.shape) == static_cast<int64_t>(array.values.size()),
                    "the shape does not fit the values");
        fuzz::check(array.values.size() < size, "more values than bytes");
    } catch (const striate::ValueError&) {
    }
    return 0;
}
