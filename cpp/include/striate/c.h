/* Prediction for programs in C and every language that calls C. Link the shared library, or the static one by a C++
 * linker. No call lets an exception out: one that fails returns null or a negative number, and striate_last_error()
 * says why. */
#ifndef STRIATE_C_H
#define STRIATE_C_H

#include <stdint.h>

#if defined(STRIATE_SHARED) && !defined(_WIN32)
#define STRIATE_C_API __attribute__((visibility("default")))
#else
#define STRIATE_C_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct striate_model striate_model;

/* "0.1.0". */
STRIATE_C_API const char* striate_version(void);

/* What went wrong in the last call that failed in this thread; "" before there was one. Valid until the next call of
 * this thread. */
STRIATE_C_API const char* striate_last_error(void);

/* Threads of the calls that follow; at least 1. Returns 0, or -1. */
STRIATE_C_API int striate_set_num_threads(int threads);

/* Reads a file of Python's model.save() or C++'s save_model(); `path` as the system's open() takes it. Null on failure.
 * To be freed by striate_free(). */
STRIATE_C_API striate_model* striate_load(const char* path);
STRIATE_C_API void striate_free(striate_model* model);

STRIATE_C_API int striate_input_count(const striate_model* model);
STRIATE_C_API int striate_output_count(const striate_model* model);

/* The shape of an input or output without the batch: writes up to `most` sizes to `shape` and returns how many there
 * are, or -1 where there is no such input. `shape` may be null where `most` is 0. */
STRIATE_C_API int striate_input_shape(const striate_model* model, int input, int64_t* shape, int most);
STRIATE_C_API int striate_output_shape(const striate_model* model, int output, int64_t* shape, int most);

/* Predicts `count` samples: inputs[i] holds count * (the product of input i's shape) floats, the last axis changing
 * fastest (images: rows, columns, channels), and outputs[i] has room for as many of output i's. At most `batch_size`
 * samples are computed together. Several threads may call it at once, with one model. Returns 0, or -1. */
STRIATE_C_API int striate_predict(const striate_model* model, int64_t count, const float* const* inputs,
                                  float* const* outputs, int64_t batch_size);
/* The same for inputs of bytes. */
STRIATE_C_API int striate_predict_bytes(const striate_model* model, int64_t count, const uint8_t* const* inputs,
                                        float* const* outputs, int64_t batch_size);

#ifdef __cplusplus
}
#endif

#endif
