// Trains a LeNet as train_lenet does, in several processes that MPI has started:
//   mpirun -n 4 --bind-to none train_mpi FOLDER [EPOCHS [MODEL]]
// Each batch has 32 rows, cut in 4 shards: the model has the same bits for 1 to 4 processes.
#include <mpi.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <striate/striate.hpp>

using namespace striate;

namespace {

// The exchange over a communicator of its own.
class MpiExchange : public Exchange {
  public:
    explicit MpiExchange(MPI_Comm from) {
        MPI_Comm_dup(from, &comm_);
        MPI_Comm_rank(comm_, &rank_);
        MPI_Comm_size(comm_, &size_);
    }
    ~MpiExchange() override { MPI_Comm_free(&comm_); }

    int rank() const override { return rank_; }
    int size() const override { return size_; }

    void gather(const void* mine, size_t bytes, void* all) override {
        const int count = static_cast<int>(bytes);
        MPI_Allgather(mine, count, MPI_BYTE, all, count, MPI_BYTE, comm_);
    }
    int begin(const std::vector<Part>& send, const std::vector<Part>& receive) override {
        std::vector<MPI_Request>& requests = requests_[++tickets_];
        for (const Part& p : receive)
            MPI_Irecv(p.data, static_cast<int>(p.size), MPI_FLOAT, p.peer, 0, comm_, &requests.emplace_back());
        for (const Part& p : send)
            MPI_Isend(p.data, static_cast<int>(p.size), MPI_FLOAT, p.peer, 0, comm_, &requests.emplace_back());
        return tickets_;
    }
    bool done(int ticket) override {
        std::vector<MPI_Request>& requests = requests_.at(ticket);
        int all = 0;
        MPI_Testall(static_cast<int>(requests.size()), requests.data(), &all, MPI_STATUSES_IGNORE);
        return all != 0;
    }
    void wait(int ticket) override {
        std::vector<MPI_Request>& requests = requests_.at(ticket);
        MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
        requests_.erase(ticket);
    }

  private:
    MPI_Comm comm_ = MPI_COMM_NULL;
    int rank_ = 0, size_ = 1, tickets_ = 0;
    std::map<int, std::vector<MPI_Request>> requests_;
};

template <class L, class Set>
LayerPtr layer(const char* name, const Set& set) {
    typename L::Options options;
    set(options);
    return std::make_shared<L>(options, name);
}

Model lenet(int64_t height, int64_t width) {
    const auto conv = [](int64_t filters, const char* name) {
        return layer<Conv2D>(name, [&](Conv2DOptions& o) {
            o.filters = filters, o.kernel_size = 5, o.padding = "same", o.activation = "relu";
        });
    };
    const auto pool = [](const char* name) { return layer<MaxPooling2D>(name, [](MaxPooling2DOptions&) {}); };
    const auto dense = [](int64_t units, const char* name, const char* activation) {
        return layer<Dense>(name, [&](DenseOptions& o) { o.units = units, o.activation = activation; });
    };
    return Model::sequential(
        {layer<InputLayer>("image", [&](InputLayerOptions& o) { o.shape = {height, width, 1}; }),
         layer<Rescaling>("rescaling", [](RescalingOptions& o) { o.scale = {1.0 / 255}; }), conv(6, "conv1"),
         pool("pool1"), conv(16, "conv2"), pool("pool2"), layer<Flatten>("flatten", [](FlattenOptions&) {}),
         dense(120, "dense1", "relu"), dense(84, "dense2", "relu"), dense(10, "probabilities", "softmax")},
        0);
}

void train(int count, char** arguments, Exchange& exchange) {
    const std::string folder = arguments[1];
    const IdxArray x = read_idx(folder + "/train-images-idx3-ubyte"), y = read_idx(folder + "/train-labels-idx1-ubyte");
    const Dataset training{{x.images()}, {y.array()}, {}};
    Model model = lenet(x.shape[1], x.shape[2]);
    Trainer trainer(model, std::make_shared<Adam>(AdamOptions()), {std::make_shared<SparseCategoricalCrossentropy>()},
                    {}, 0);
    trainer.set_shards(4, &exchange);
    FitOptions options;
    options.epochs = count > 2 ? std::atoi(arguments[2]) : 20;
    options.after_epoch = [&](const EpochLog& log) {
        if (exchange.rank() == 0)
            std::printf("epoch %d: loss %.4f, accuracy %.4f\n", static_cast<int>(log.epoch + 1), log.training.loss,
                        log.training.accuracy);
        return true;
    };
    fit(trainer, training, options);
    if (exchange.rank() == 0) save_model(model, count > 3 ? arguments[3] : "lenet.safetensors");
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 2) return std::fprintf(stderr, "usage: train_mpi FOLDER [EPOCHS [MODEL]]\n"), 2;
    MPI_Init(&count, &arguments);
    try {
        MpiExchange exchange(MPI_COMM_WORLD);
        train(count, arguments, exchange);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        MPI_Abort(MPI_COMM_WORLD, 1);  // the other processes would wait for this one
    }
    MPI_Finalize();
    return 0;
}
