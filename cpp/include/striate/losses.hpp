// All losses.
#pragma once

#include "striate/losses/binary_crossentropy.hpp"
#include "striate/losses/binary_focal_crossentropy.hpp"
#include "striate/losses/categorical_crossentropy.hpp"
#include "striate/losses/categorical_focal_crossentropy.hpp"
#include "striate/losses/detection_loss.hpp"
#include "striate/losses/dice.hpp"
#include "striate/losses/huber.hpp"
#include "striate/losses/kl_divergence.hpp"
#include "striate/losses/mean_absolute_error.hpp"
#include "striate/losses/mean_squared_error.hpp"
#include "striate/losses/sparse_categorical_crossentropy.hpp"
#include "striate/losses/tversky.hpp"
#include "striate/losses/weighted_sum.hpp"
