/* The same in C, by the C ABI. */
#include <stdio.h>
#include <stdlib.h>
#include <striate/c.h>

static int64_t size_of(const int64_t* shape, int axes) {
    int64_t size = 1;
    int i;
    for (i = 0; i < axes; ++i) size *= shape[i];
    return size;
}

static int failed(void) {
    fprintf(stderr, "%s\n", striate_last_error());
    return 1;
}

int main(int count, char** arguments) {
    int64_t in[4], out[4];
    int in_axes, out_axes;
    size_t in_size, out_size;
    float *x, *y;
    const float* inputs[1];
    striate_model* model;
    if (count != 2) return 2;
    model = striate_load(arguments[1]);
    if (!model) return failed();
    in_axes = striate_input_shape(model, 0, in, 4);
    out_axes = striate_output_shape(model, 0, out, 4);
    if (in_axes < 0 || out_axes < 0) return failed();
    in_size = (size_t)size_of(in, in_axes);
    out_size = (size_t)size_of(out, out_axes);
    x = malloc(in_size * sizeof *x);
    y = malloc(out_size * sizeof *y);
    if (!x || !y || fread(x, sizeof *x, in_size, stdin) != in_size) return 3;
    inputs[0] = x;
    if (striate_predict(model, 1, inputs, &y, 1) != 0) return failed();
    fwrite(y, sizeof *y, out_size, stdout);
    free(x);
    free(y);
    striate_free(model);
    return 0;
}
