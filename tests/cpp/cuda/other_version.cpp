// A plugin of another version, which the library refuses.
#include "cuda/plugin.hpp"

extern "C" __attribute__((visibility("default"))) const striate::cuda::Plugin* striate_cuda_plugin() {
    static const striate::cuda::Plugin plugin = [] {
        striate::cuda::Plugin made{};
        made.layout = striate::cuda::kLayout;
        made.version = "0.0.0";
        return made;
    }();
    return &plugin;
}
