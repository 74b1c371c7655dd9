// All optimizers and learning-rate schedules.
#pragma once

#include "striate/optimizers/adadelta.hpp"
#include "striate/optimizers/adagrad.hpp"
#include "striate/optimizers/adam.hpp"
#include "striate/optimizers/base.hpp"
#include "striate/optimizers/lion.hpp"
#include "striate/optimizers/nadam.hpp"
#include "striate/optimizers/rmsprop.hpp"
#include "striate/optimizers/schedules.hpp"
#include "striate/optimizers/sgd.hpp"
