#include <cstring>

#include "feed.hpp"
#include "whole_class.hpp"

namespace striate::bindings {
namespace {

// A trainer with the arrays that it works on, bound once: a step is then one call with two integers.
class BoundTrainer {
  public:
    BoundTrainer(py::object model, OptimizerPtr optimizer, std::vector<LossPtr> losses,
                 std::vector<double> loss_weights, uint64_t seed)
        : owner_(std::move(model)),
          model_(owner_.cast<Model&>()),
          trainer_(model_, std::move(optimizer), std::move(losses), std::move(loss_weights), seed) {}

    Trainer& trainer() { return trainer_; }

    using Some = std::vector<std::optional<py::array>>;

    void bind(std::vector<py::array> inputs, Some targets, Some weights) {
        Dataset data;
        data.inputs = borrow_all(inputs, "x");
        data.targets = borrow_all(targets, "y");
        data.weights = borrow_all(weights, "sample_weight");
        {
            // Labels may be checked one by one, and nothing here is a Python object.
            const WithoutGil released;
            trainer_.bind(data);
        }
        // Nothing below throws: the trainer and this object hold the same arrays.
        count_ = data.inputs[0].shape[0];
        inputs_ = std::move(inputs);
        targets_ = std::move(targets);
        weights_ = std::move(weights);
        forget_rows_and_predictions();
    }

    // No step can follow before the next bind().
    void release() {
        trainer_.release();
        count_ = 0;
        inputs_.clear();
        targets_.clear();
        weights_.clear();
        forget_rows_and_predictions();
    }

    void set_rows(std::optional<py::array> rows) {
        if (rows) {
            const Array array = borrow(*rows, "rows");
            if (array.type != DType::int64) throw TypeError("rows must be an array of int64");
            require(array.shape.size() == 1, "rows must be 1-D, got ", to_string(array.shape));
            const auto* first = static_cast<const int64_t*>(array.data);
            for (int64_t i = 0; i < array.shape[0]; ++i)
                require(first[i] >= 0 && first[i] < count_, "rows names row ", first[i], " of arrays of ", count_,
                        " rows");
            row_count_ = array.shape[0];
        }
        rows_ = std::move(rows);
    }

    // From now on the outputs of the step on rows [first, first + count) go to row `first - base` of these arrays.
    void set_predictions(std::vector<py::array> buffers, int64_t base) {
        std::vector<float*> memory;
        std::vector<int64_t> strides;
        const std::vector<Shape> shapes = model_.output_shapes();
        require(buffers.empty() || buffers.size() == shapes.size(), "predictions: the model has ", shapes.size(),
                " outputs, got ", buffers.size(), " arrays");
        int64_t rows = 0;
        for (size_t i = 0; i < buffers.size(); ++i) {
            require(buffers[i].ndim() > 0 && (i == 0 || buffers[i].shape(0) == rows),
                    "predictions differ in their rows");
            rows = buffers[i].shape(0);
            Shape shape = shapes[i];
            strides.push_back(element_count(shape));
            shape.insert(shape.begin(), rows);
            memory.push_back(borrow_output(buffers[i], shape, "predictions"));
        }
        at_.resize(memory.size());
        buffers_ = std::move(buffers);
        memory_ = std::move(memory);
        strides_ = std::move(strides);
        base_ = base;
        buffer_rows_ = rows;
    }

    double step(bool train, int64_t first, int64_t count) {
        const int64_t available = rows_ ? row_count_ : count_;
        require(count >= 1 && first >= 0 && first <= available - count, "a step on rows [", first, ", ", first + count,
                ") of ", available, "; bind the arrays and set the rows first");
        aim(first, count);
        const int64_t* rows = rows_ ? static_cast<const int64_t*>(rows_->data()) + first : nullptr;
        // The step sees the memory of arrays that this object keeps alive, and no Python object.
        const WithoutGil released;
        return train ? trainer_.train_step(rows, first, count, at_) : trainer_.test_step(rows, first, count, at_);
    }

    // A training step on the next batch of a feed, which is rows [first, first + count) of its epoch. The arrays that
    // are bound must be the feed's buffers.
    double fed_step(BoundFeed& feed, int64_t first, int64_t count) {
        require(!inputs_.empty() && inputs_[0].data() == feed.buffers().inputs[0].data && 2 * count <= count_,
                "a step on a feed's batch of ", count, " rows; bind the feed's buffers first");
        aim(first, count);
        // Waiting and stepping touch no Python object.
        const WithoutGil released;
        return trainer_.train_step(nullptr, feed.next(), count, at_);
    }

    Profile profile(const std::vector<int64_t>& firsts, int64_t count) {
        forget_rows_and_predictions();
        const WithoutGil released;
        return trainer_.profile(firsts, count, check_signals);
    }

    py::array slot(size_t index) {
        const std::vector<float*> slots = trainer_.slots();
        if (index >= slots.size()) throw py::index_error("no such slot");
        return copy_to_numpy(slots[index], {trainer_.parameter_arena_size()});
    }

    void set_slot(size_t index, const py::array& value) {
        const std::vector<float*> slots = trainer_.slots();
        if (index >= slots.size()) throw py::index_error("no such slot");
        const Array array = borrow(value, "slot");
        if (array.type != DType::float32) throw TypeError("slot must be an array of float32");
        require(array.shape == Shape{trainer_.parameter_arena_size()}, "a slot has shape (",
                trainer_.parameter_arena_size(), ",), got ", to_string(array.shape));
        std::memcpy(slots[index], array.data, sizeof(float) * static_cast<size_t>(array.shape[0]));
    }

  private:
    void forget_rows_and_predictions() {
        rows_.reset();
        row_count_ = 0;
        buffers_.clear();
        memory_.clear();
        strides_.clear();
        at_.clear();
        base_ = buffer_rows_ = 0;
    }

    // Points `at_` to where the predictions of a step on rows [first, first + count) go.
    void aim(int64_t first, int64_t count) {
        if (!memory_.empty())
            require(first >= base_ && first - base_ <= buffer_rows_ - count, "a step on rows [", first, ", ",
                    first + count, ") with predictions for [", base_, ", ", base_ + buffer_rows_, ")");
        for (size_t i = 0; i < memory_.size(); ++i) at_[i] = memory_[i] + (first - base_) * strides_[i];
    }

    py::object owner_;  // of the model
    Model& model_;
    Trainer trainer_;
    std::vector<py::array> inputs_, buffers_;
    Some targets_, weights_;
    std::optional<py::array> rows_;
    std::vector<float*> memory_, at_;
    std::vector<int64_t> strides_;
    int64_t count_ = 0, row_count_ = 0, base_ = 0, buffer_rows_ = 0;
};

}  // namespace

void register_trainer(py::module_& m) {
    whole_class<BoundTrainer>(m, "Trainer")
        .def(py::init([](py::object model, const std::shared_ptr<Optimizer>& optimizer,
                         const std::vector<std::shared_ptr<Loss>>& losses, std::vector<double> loss_weights,
                         uint64_t seed) {
                 return std::make_unique<BoundTrainer>(std::move(model), optimizer,
                                                       std::vector<LossPtr>(losses.begin(), losses.end()),
                                                       std::move(loss_weights), seed);
             }),
             py::arg("model"), py::arg("optimizer"), py::arg("losses"), py::arg("loss_weights"), py::arg("seed"))
        .def("bind", &BoundTrainer::bind, py::arg("inputs"), py::arg("targets"), py::arg("weights"))
        .def("release", &BoundTrainer::release)
        .def("set_rows", &BoundTrainer::set_rows, py::arg("rows"))
        .def("set_predictions", &BoundTrainer::set_predictions, py::arg("buffers"), py::arg("base"))
        .def(
            "train_step", [](BoundTrainer& t, int64_t first, int64_t count) { return t.step(true, first, count); },
            py::arg("first"), py::arg("count"))
        .def(
            "test_step", [](BoundTrainer& t, int64_t first, int64_t count) { return t.step(false, first, count); },
            py::arg("first"), py::arg("count"))
        .def("fed_step", &BoundTrainer::fed_step, py::arg("feed"), py::arg("first"), py::arg("count"))
        .def("profile", &BoundTrainer::profile, py::arg("firsts"), py::arg("count"))
        .def(
            "arena_bytes",
            [](BoundTrainer& t, int64_t batch, bool training) { return t.trainer().arena_bytes(batch, training); },
            py::arg("batch"), py::arg("training"), py::call_guard<WithoutGil>())
        .def_property_readonly("losses", [](BoundTrainer& t) { return t.trainer().losses(); })
        .def("begin_epoch", [](BoundTrainer& t) { t.trainer().begin_epoch(); })
        .def_property_readonly("epoch_losses", [](BoundTrainer& t) { return t.trainer().epoch_losses(); })
        .def_property_readonly("epoch_loss", [](BoundTrainer& t) { return t.trainer().epoch_loss(); })
        .def_property(
            "learning_rate", [](BoundTrainer& t) { return t.trainer().learning_rate(); },
            [](BoundTrainer& t, double rate) { t.trainer().set_learning_rate(rate); })
        .def_property(
            "iteration", [](BoundTrainer& t) { return t.trainer().iteration(); },
            [](BoundTrainer& t, int64_t iteration) { t.trainer().set_iteration(iteration); })
        .def_property(
            "epochs", [](BoundTrainer& t) { return t.trainer().epochs(); },
            [](BoundTrainer& t, int64_t epochs) { t.trainer().set_epochs(epochs); })
        .def_property(
            "seed", [](BoundTrainer& t) { return t.trainer().seed(); },
            [](BoundTrainer& t, uint64_t seed) { t.trainer().set_seed(seed); })
        .def_property_readonly("learning_rate_override",
                               [](BoundTrainer& t) { return t.trainer().learning_rate_override(); })
        .def(
            "save_training",
            [](BoundTrainer& t, const std::string& path, const Metadata& extra,
               const std::map<std::string, py::array>& given, bool overwrite) {
                std::map<std::string, Array> arrays;
                for (const auto& [name, array] : given) arrays.emplace(name, borrow(array, name));
                const WithoutGil without;  // `given` keeps the arrays' memory
                save_training(t.trainer(), path, extra, arrays, overwrite);
            },
            py::arg("path"), py::arg("extra"), py::arg("arrays"), py::arg("overwrite"))
        .def(
            "load_training", [](BoundTrainer& t, const std::string& path) { load_training(t.trainer(), path); },
            py::arg("path"), py::call_guard<WithoutGil>())
        .def_property_readonly("slot_count", [](BoundTrainer& t) { return t.trainer().slots().size(); })
        .def("slot", &BoundTrainer::slot, py::arg("index"))
        .def("set_slot", &BoundTrainer::set_slot, py::arg("index"), py::arg("value"));

    m.def(
        "load_training_extra",
        [](const std::string& path) {
            TrainingExtra extra;
            {
                const WithoutGil without;
                extra = load_training_extra(path);
            }
            py::dict arrays;
            for (auto& [name, tensor] : extra.arrays) arrays[py::str(name)] = to_numpy(std::move(tensor));
            return py::make_tuple(extra.metadata, arrays);
        },
        py::arg("path"));
}

}  // namespace striate::bindings
