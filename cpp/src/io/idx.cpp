#include "striate/idx.hpp"

#include "io/file.hpp"
#include "striate/error.hpp"

namespace striate {

IdxArray read_idx(const std::string& path) {
    const io::InputFile file(path);
    const auto check = [&](bool good, const char* what) {
        if (!good) throw ValueError(concat("cannot read '", path, "': ", what));
    };
    uint8_t head[4];
    check(file.size() >= sizeof head, "it is not an IDX file: too short");
    file.read_at(0, head, sizeof head);
    check(!(head[0] == 0x1f && head[1] == 0x8b), "it is compressed; unpack it with gunzip");
    check(head[0] == 0 && head[1] == 0 && head[3] >= 1 && head[3] <= 4, "it is not an IDX file of one to four axes");
    check(head[2] == 0x08, "its values are no unsigned bytes");
    IdxArray result;
    uint64_t offset = sizeof head, count = 1;
    const uint64_t most = file.size();
    for (int axis = 0; axis < head[3]; ++axis, offset += 4) {
        uint8_t digits[4];  // most significant first
        check(offset + 4 <= most, "its header is cut short");
        file.read_at(offset, digits, sizeof digits);
        uint64_t size = 0;
        for (const uint8_t digit : digits) size = size << 8 | digit;
        check(size > 0 && size <= most && count <= most / size, "it claims more values than it has");
        count *= size;
        result.shape.push_back(static_cast<int64_t>(size));
    }
    check(count == most - offset, "its length does not fit its header");
    result.values.resize(count);
    file.read_at(offset, result.values.data(), count);
    return result;
}

}  // namespace striate
