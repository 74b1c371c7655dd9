// The extension module striate._core. Each topic registers itself from a file of its own.
#include "bindings.hpp"

PYBIND11_MODULE(_core, m) {
    m.doc() = "The C++ core of striate. Its public face is the package around it.";
    striate::bindings::register_errors(m);
    striate::bindings::register_runtime(m);
    striate::bindings::register_turn(m);
    striate::bindings::register_profile(m);
    striate::bindings::register_layers(m);
    striate::bindings::register_losses(m);
    striate::bindings::register_optimizers(m);
    striate::bindings::register_model(m);
    striate::bindings::register_models(m);
    striate::bindings::register_augmentation(m);
    striate::bindings::register_trainer(m);
    striate::bindings::register_io(m);
    striate::bindings::register_detection(m);
    striate::bindings::register_own(m);
}
