#pragma once

#include "striate/view.hpp"

namespace striate::kernels {
using striate::View;
}
