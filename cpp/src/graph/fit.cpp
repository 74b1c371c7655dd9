#include "striate/fit.hpp"

#include <algorithm>
#include <cmath>

#include "striate/error.hpp"
#include "striate/random.hpp"

namespace striate {
namespace {

int64_t highest(const float* scores, int64_t count) {
    int64_t best = 0;
    for (int64_t i = 1; i < count; ++i)
        if (scores[i] > scores[best]) best = i;
    return best;
}

int64_t label_at(const Array& labels, int64_t index) {
    switch (labels.type) {
        case DType::uint8:
            return static_cast<const uint8_t*>(labels.data)[index];
        case DType::int32:
            return static_cast<const int32_t*>(labels.data)[index];
        case DType::int64:
            return static_cast<const int64_t*>(labels.data)[index];
        case DType::float32:
            return static_cast<int64_t>(static_cast<const float*>(labels.data)[index]);
    }
    return 0;
}

// Counts the labels that a model of one output predicts.
class Accuracy {
  public:
    Accuracy(const Trainer& trainer, const Dataset& data, int64_t batch_size) {
        if (trainer.loss_functions().size() != 1) return;
        const Loss& loss = *trainer.loss_functions()[0];
        const Shape output = trainer.output_shapes()[0];
        targets_ = data.targets[0];
        classes_ = output.empty() ? 1 : output.back();
        items_ = element_count(output) / std::max<int64_t>(1, classes_);
        threshold_ = loss.from_logits() ? 0.0f : 0.5f;
        const Config config = loss.config();
        if (const ConfigValue* ignored = config.find("ignore_class")) read_value(*ignored, ignored_, "ignore_class");
        const int64_t given = element_count(targets_.shape) / std::max<int64_t>(1, targets_.shape[0]);
        if (classes_ > 1 && given == items_ && targets_.type != DType::float32) {
            kind_ = Kind::labels;
        } else if (classes_ > 1 && given == items_ * classes_ && targets_.type == DType::float32 &&
                   loss.joint_activation() == "softmax") {
            kind_ = Kind::one_hot;
        } else if (classes_ == 1 && given == items_ && loss.joint_activation() == "sigmoid") {
            kind_ = Kind::binary;
        }
        if (kind_ != Kind::none) predictions_.resize(static_cast<size_t>(batch_size * items_ * classes_));
    }

    // Where a step is to leave its outputs.
    std::vector<float*> buffers() {
        return kind_ == Kind::none ? std::vector<float*>() : std::vector<float*>{predictions_.data()};
    }

    // After a step on the rows rows[first..first + count), or first..first + count where `rows` is null.
    void update(const int64_t* rows, int64_t first, int64_t count) {
        if (kind_ == Kind::none) return;
        for (int64_t i = 0; i < count; ++i) {
            const int64_t row = rows ? rows[first + i] : first + i;
            for (int64_t item = 0; item < items_; ++item) {
                const int64_t index = row * items_ + item;
                if (kind_ == Kind::labels && ignored_ && label_at(targets_, index) == *ignored_) continue;
                hits_ += hit(index, predictions_.data() + (i * items_ + item) * classes_);
                ++total_;
            }
        }
    }

    double result() const {
        return total_ > 0 ? static_cast<double>(hits_) / static_cast<double>(total_) : Scores().accuracy;
    }

  private:
    enum class Kind { none, labels, one_hot, binary };

    bool hit(int64_t index, const float* scores) const {
        if (kind_ == Kind::binary) return (scores[0] > threshold_) == (label_at(targets_, index) != 0);
        if (kind_ == Kind::labels) return highest(scores, classes_) == label_at(targets_, index);
        // Rows may be probabilities, as smoothed labels are: the likeliest class is meant.
        return highest(scores, classes_) ==
               highest(static_cast<const float*>(targets_.data) + index * classes_, classes_);
    }

    Kind kind_ = Kind::none;
    Array targets_;
    int64_t classes_ = 1, items_ = 1, hits_ = 0, total_ = 0;
    float threshold_ = 0.5f;
    std::optional<int64_t> ignored_;  // label of items that do not count
    std::vector<float> predictions_;
};

int64_t rows_of(const Dataset& data) {
    return data.inputs[0].shape[0];
}

// One pass over data that are bound; `step(first, count, predictions)` gives the loss.
template <class Step>
Scores walk(const Trainer& trainer, const Dataset& data, const int64_t* rows, int64_t batch_size, Step step) {
    const int64_t total = rows_of(data);
    Accuracy accuracy(trainer, data, std::min(batch_size, total));
    Scores scores;
    for (int64_t first = 0; first < total; first += batch_size) {
        const int64_t count = std::min(batch_size, total - first);
        scores.loss += step(first, count, accuracy.buffers()) * static_cast<double>(count);
        accuracy.update(rows, first, count);
    }
    scores.loss /= static_cast<double>(total);
    scores.accuracy = accuracy.result();
    return scores;
}

void check_batch(int64_t batch_size, const char* who) {
    require(batch_size > 0, who, ": batch_size must be at least 1, got ", batch_size);
}

}  // namespace

std::vector<EpochLog> fit(Trainer& trainer, const Dataset& data, const FitOptions& options) {
    check_batch(options.batch_size, "fit");
    require(options.epochs > 0, "fit: epochs must be at least 1, got ", options.epochs);
    if (options.validation) trainer.bind(*options.validation);  // checked before the first step
    std::vector<EpochLog> history;
    for (int64_t done = 0; done < options.epochs; ++done) {
        trainer.bind(data);
        EpochLog log;
        log.epoch = trainer.epochs();
        std::vector<int64_t> order;
        if (options.shuffle) order = permutation(trainer.seed(), static_cast<uint64_t>(log.epoch), rows_of(data));
        const int64_t* rows = options.shuffle ? order.data() : nullptr;
        trainer.set_epochs(log.epoch + 1);
        log.training = walk(trainer, data, rows, options.batch_size,
                            [&](int64_t first, int64_t count, const std::vector<float*>& predictions) {
                                return trainer.train_step(rows ? rows + first : nullptr, first, count, predictions);
                            });
        if (options.validation) log.validation = evaluate(trainer, *options.validation, options.batch_size);
        history.push_back(log);
        if (options.after_epoch && !options.after_epoch(log)) break;
    }
    return history;
}

Scores evaluate(Trainer& trainer, const Dataset& data, int64_t batch_size) {
    check_batch(batch_size, "evaluate");
    trainer.bind(data);
    return walk(trainer, data, nullptr, batch_size,
                [&](int64_t first, int64_t count, const std::vector<float*>& predictions) {
                    return trainer.test_step(nullptr, first, count, predictions);
                });
}

}  // namespace striate
