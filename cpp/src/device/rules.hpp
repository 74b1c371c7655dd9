// The rules by which work is cut for a device.
#pragma once

namespace striate {

// An instruction set as far as the cut of the work depends on it.
struct Machine {
    int lanes;  // floats in a vector
    bool many_registers;
    bool whole_panels = false;  // a panel of weights has all channels; gradients to weights are cut for many blocks
    // Of the instruction set with so many lanes on this platform.
    static Machine of(int lanes);
};

// Rules look at shapes and at the kind of device, never at how many threads or blocks there are: the same sums on every
// machine that has the same vectors.
struct Rules {
    Machine machine;             // panels of weights and tiles
    bool winograd = true;        // minimal filtering where it pays
    bool pooled_at_once = true;  // a convolution's outputs wait for their maxima in the scratch of a thread, and
                                 // gradients to weights follow from the maxima alone
    bool epilogues = true;       // convolutions apply the activations that fits_epilogue() names, not relu alone
    double band_bytes = 0;       // of the windows of a chain of steps that is computed in bands; 0: none is
    double band_maps = 0;        // bytes of the smallest map between the steps of such a chain
    double near_bytes = 0;       // of maps that stay near from one step to the next; 0: wherever they are
};

}  // namespace striate
