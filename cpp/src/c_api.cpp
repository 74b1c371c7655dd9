#include <algorithm>
#include <exception>
#include <new>

#include "striate/c.h"
#include "striate/error.hpp"
#include "striate/io.hpp"
#include "striate/model.hpp"
#include "striate/runtime.hpp"

struct striate_model {
    striate::Model model;
};

namespace {

using namespace striate;

thread_local std::string last_error;

// What `call` returns, or `failed` where it throws.
template <class Result, class Call>
Result guarded(Result failed, Call&& call) noexcept {
    try {
        return call();
    } catch (const std::bad_alloc&) {
        last_error = "out of memory";  // short enough to need none
    } catch (const std::exception& error) {
        try {
            last_error = error.what();
        } catch (...) {
            last_error.clear();
        }
    } catch (...) {
        last_error = "unknown error";
    }
    return failed;
}

const Model& checked(const striate_model* model, const char* caller) {
    require(model != nullptr, caller, " was given no model");
    return model->model;
}

int shape_of(const std::vector<Shape>& shapes, int index, int64_t* out, int max_sizes, const char* caller) {
    require(index >= 0 && static_cast<size_t>(index) < shapes.size(), caller, ": index ", index,
            " is out of range; there are ", shapes.size());
    const Shape& shape = shapes[static_cast<size_t>(index)];
    require(max_sizes <= 0 || out != nullptr, caller, " was given no memory for the shape");
    for (int i = 0; i < std::min(max_sizes, static_cast<int>(shape.size())); ++i)
        out[i] = shape[static_cast<size_t>(i)];
    return static_cast<int>(shape.size());
}

template <class Value>
int predict(const striate_model* model, int64_t count, const Value* const* inputs, float* const* outputs,
            int64_t batch_size, DType type, const char* caller) {
    return guarded(-1, [&] {
        const Model& network = checked(model, caller);
        require(inputs != nullptr && outputs != nullptr, caller, " was given no inputs or no outputs");
        require(count > 0, caller, ": count must be at least 1, got ", count);
        std::vector<Array> arrays;
        for (Shape shape : network.input_shapes()) {
            const void* data = inputs[arrays.size()];
            require(data != nullptr, caller, ": input ", arrays.size(), " is null");
            shape.insert(shape.begin(), count);
            arrays.push_back({data, type, std::move(shape)});
        }
        const size_t wanted = network.output_shapes().size();
        const std::vector<float*> memory(outputs, outputs + wanted);
        for (size_t i = 0; i < wanted; ++i) require(memory[i] != nullptr, caller, ": output ", i, " is null");
        network.predict_into(arrays, batch_size, memory);
        return 0;
    });
}

}  // namespace

extern "C" {

const char* striate_version(void) {
    return STRIATE_VERSION;
}

const char* striate_last_error(void) {
    return last_error.c_str();
}

int striate_set_num_threads(int threads) {
    return guarded(-1, [&] {
        set_num_threads(threads);
        return 0;
    });
}

striate_model* striate_load(const char* path) {
    return guarded<striate_model*>(nullptr, [&] {
        require(path != nullptr, "striate_load was given no path");
        return new striate_model{load_model(path)};
    });
}

void striate_free(striate_model* model) {
    delete model;
}

int striate_input_count(const striate_model* model) {
    return guarded(-1, [&] { return static_cast<int>(checked(model, "striate_input_count").input_shapes().size()); });
}

int striate_output_count(const striate_model* model) {
    return guarded(-1, [&] { return static_cast<int>(checked(model, "striate_output_count").output_shapes().size()); });
}

int striate_input_shape(const striate_model* model, int input, int64_t* shape, int max_sizes) {
    const char* caller = "striate_input_shape";
    return guarded(-1,
                   [&] { return shape_of(checked(model, caller).input_shapes(), input, shape, max_sizes, caller); });
}

int striate_output_shape(const striate_model* model, int output, int64_t* shape, int max_sizes) {
    const char* caller = "striate_output_shape";
    return guarded(-1,
                   [&] { return shape_of(checked(model, caller).output_shapes(), output, shape, max_sizes, caller); });
}

int striate_predict(const striate_model* model, int64_t count, const float* const* inputs, float* const* outputs,
                    int64_t batch_size) {
    return predict(model, count, inputs, outputs, batch_size, DType::float32, "striate_predict");
}

int striate_predict_bytes(const striate_model* model, int64_t count, const uint8_t* const* inputs,
                          float* const* outputs, int64_t batch_size) {
    return predict(model, count, inputs, outputs, batch_size, DType::uint8, "striate_predict_bytes");
}

}  // extern "C"
