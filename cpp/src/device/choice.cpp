#include "device/choice.hpp"

#include <cstdlib>

#include "cpu/cpu.hpp"
#include "cuda/device.hpp"
#include "striate/error.hpp"
#include "striate/runtime.hpp"
#include "suggest.hpp"

namespace striate {

const Device& device_named(const std::string& name) {
    if (name == "cpu") return cpu();
    if (name == "cuda") return cuda::device(0);
    const std::string number = name.rfind("cuda:", 0) == 0 ? name.substr(5) : "";
    const bool digits = number.find_first_not_of("0123456789") == std::string::npos;
    require(!number.empty() && number.size() <= 4 && digits,
            "device must be 'cpu', 'cuda' or 'cuda:' with the number of a GPU, got ", quoted(name));
    return cuda::device(std::atoi(number.c_str()));
}

const Device& default_device() {
    const char* const name = std::getenv("STRIATE_DEVICE");
    if (!name || !*name) return cpu();
    try {
        return device_named(name);
    } catch (const ValueError& error) {
        fail("the environment variable STRIATE_DEVICE: ", error.what());
    }
}

std::string checked_device(const std::string& name) {
    return name.empty() ? default_device().name() : device_named(name).name();
}

std::string cuda_description() {
    return cuda::description();
}

void set_cuda_plugin(const std::string& path) {
    cuda::set_plugin(path);
}

std::vector<std::pair<std::string, bool>> cuda_kernels() {
    return cuda::kernels_on_device();
}

}  // namespace striate
