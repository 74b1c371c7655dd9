// All of the library.
#pragma once

#include "striate/config.hpp"
#include "striate/detection.hpp"
#include "striate/error.hpp"
#include "striate/graph.hpp"
#include "striate/initializers.hpp"
#include "striate/io.hpp"
#include "striate/layer.hpp"
#include "striate/loss.hpp"
#include "striate/model.hpp"
#include "striate/optimizer.hpp"
#include "striate/plan.hpp"
#include "striate/profile.hpp"
#include "striate/random.hpp"
#include "striate/runtime.hpp"
#include "striate/tensor.hpp"
#include "striate/trainer.hpp"
