#include "feed.hpp"
#include "whole_class.hpp"

namespace striate::bindings {
namespace {

Follows follows_of(const std::string& name) {
    if (name == "pixels") return Follows::pixels;
    if (name == "boxes") return Follows::boxes;
    require(name == "nothing", "follows must be 'nothing', 'pixels' or 'boxes', got '", name, "'");
    return Follows::nothing;
}

std::vector<Follows> follows_of(const std::vector<std::string>& names) {
    std::vector<Follows> result;
    for (const std::string& name : names) result.push_back(follows_of(name));
    return result;
}

std::unique_ptr<Augmentation> make_augmentation(double flip_horizontal, double flip_vertical, double rotation,
                                                std::array<double, 2> shift, std::array<double, 2> zoom, int64_t crop,
                                                double brightness, double contrast, double noise, double elastic,
                                                int64_t elastic_grid, const std::string& fill, double fill_value,
                                                std::optional<std::array<double, 2>> value_range, uint64_t seed) {
    auto made = std::make_unique<Augmentation>();
    Augmentation& a = *made;
    a.flip_horizontal = flip_horizontal, a.flip_vertical = flip_vertical;
    a.rotation = rotation;
    a.shift_height = shift[0], a.shift_width = shift[1];
    a.zoom_smallest = zoom[0], a.zoom_largest = zoom[1];
    a.crop = crop;
    a.brightness = brightness, a.contrast = contrast, a.noise = noise;
    a.elastic = elastic, a.elastic_grid = elastic_grid;
    a.fill = fill_mode(fill), a.fill_value = fill_value;
    a.value_range = value_range;
    a.seed = seed;
    check(a);
    return made;
}

using Matrices = py::array_t<double, py::array::c_style>;
using Indices = py::array_t<int64_t, py::array::c_style>;

// The drawn numbers of a batch: matrices (B, 2, 3), brightness and contrast (B,), and with an elastic deformation the
// displacements (B, 2, height, width).
py::tuple draw(const Augmentation& given, const Indices& indices, uint64_t epoch, int64_t height, int64_t width,
               bool bytes) {
    Augmentation change = given;
    change.fill = FillMode::reflect;  // without boxes, any fill is possible
    const Augmenter augmenter(change, {height, width, 1}, bytes ? DType::uint8 : DType::float32);
    const py::ssize_t count = indices.size(), pixels = static_cast<py::ssize_t>(height * width);
    Matrices matrices({count, py::ssize_t{2}, py::ssize_t{3}});
    py::array_t<float> brightness(count), contrast(count);
    const bool bends = change.elastic > 0.0;
    py::array_t<float> offsets(bends ? std::vector<py::ssize_t>{count, 2, height, width} : std::vector<py::ssize_t>{0});
    Drawn drawn;
    for (py::ssize_t i = 0; i < count; ++i) {
        augmenter.draw(static_cast<uint64_t>(indices.at(i)), epoch, drawn);
        std::copy(drawn.matrix.begin(), drawn.matrix.end(), matrices.mutable_data() + 6 * i);
        brightness.mutable_at(i) = drawn.brightness;
        contrast.mutable_at(i) = drawn.contrast;
        if (bends) augmenter.displacements(drawn, offsets.mutable_data() + 2 * pixels * i);
    }
    return py::make_tuple(matrices, brightness, contrast, bends ? py::object(offsets) : py::none());
}

// How a batch of images comes to be, one image at a time.
template <class Change>
void each_image(const Augmentation& change, const Array& images, const Shape& shape, DType type, Change&& apply) {
    Augmenter augmenter(change, shape, type);
    Drawn drawn;
    SignalCheck check;
    for (int64_t i = 0; i < images.shape[0]; ++i) {
        check();
        apply(augmenter, drawn, i);
    }
}

// `matrices`, (B, 2, 3), take the place of the maps that are drawn.
py::array augment_images(const Augmentation& change, const py::array& given, const Indices& indices, uint64_t epoch,
                         const std::optional<Matrices>& matrices) {
    const Array images = borrow(given, "images");
    py::array out(given.dtype(), images.shape);
    auto* to = static_cast<std::byte*>(out.mutable_data());
    const auto* from = static_cast<const std::byte*>(images.data);
    const int64_t* numbers = indices.data();
    require(!images.shape.empty() && images.shape[0] == indices.size(), "images and indices differ in length");
    require(!matrices || matrices->size() == 6 * indices.size(), "matrices must have shape (B, 2, 3)");
    const double* maps = matrices ? matrices->data() : nullptr;
    const size_t bytes = images.shape[0] ? static_cast<size_t>(given.nbytes() / images.shape[0]) : 0;
    {
        // Only memory that the arguments and the result own.
        const WithoutGil released;
        each_image(change, images, Shape(images.shape.begin() + 1, images.shape.end()), images.type,
                   [&](Augmenter& augmenter, Drawn& drawn, int64_t i) {
                       augmenter.draw(static_cast<uint64_t>(numbers[i]), epoch, drawn);
                       if (maps) std::copy_n(maps + 6 * i, 6, drawn.matrix.begin());
                       augmenter.image(from + i * bytes, drawn, to + i * bytes);
                   });
    }
    return out;
}

// Masks (B, H, W, C) of any type; `fill` is one value of theirs.
py::array augment_masks(const Augmentation& change, const py::array& masks, const Indices& indices, uint64_t epoch,
                        const py::array& fill) {
    const Shape shape = shape_of(masks);
    require((masks.flags() & py::array::c_style) && shape.size() == 4 && shape[0] == indices.size(),
            "masks must be a C-contiguous array (N, H, W, C)");
    require(fill.nbytes() == masks.itemsize() && fill.dtype().equal(masks.dtype()),
            "fill must be a value of the masks' type");
    py::array out(masks.dtype(), shape);
    auto* to = static_cast<std::byte*>(out.mutable_data());
    const auto* from = static_cast<const std::byte*>(masks.data());
    const auto item = static_cast<size_t>(masks.itemsize()), pixel = item * static_cast<size_t>(shape[3]);
    const size_t bytes = pixel * static_cast<size_t>(shape[1] * shape[2]);
    std::vector<std::byte> values(pixel);
    for (size_t i = 0; i < pixel; ++i) values[i] = static_cast<const std::byte*>(fill.data())[i % item];
    const int64_t* numbers = indices.data();
    {
        const WithoutGil released;
        each_image(change, {from, DType::uint8, shape}, {shape[1], shape[2], 1}, DType::float32,
                   [&](Augmenter& augmenter, Drawn& drawn, int64_t i) {
                       augmenter.draw(static_cast<uint64_t>(numbers[i]), epoch, drawn);
                       augmenter.mask(from + i * bytes, pixel, values.data(), drawn, to + i * bytes);
                   });
    }
    return out;
}

// Boxes (M, 4) moved by one map: as float32, and which of them are left.
py::tuple move_boxes(const py::array_t<double, py::array::c_style | py::array::forcecast>& boxes,
                     const Matrices& matrix, int64_t height, int64_t width, double least_visible) {
    require(boxes.ndim() == 2 && boxes.shape(1) == 4, "boxes must have shape (M, 4)");
    require(matrix.size() == 6, "a map must have shape (2, 3)");
    std::array<double, 6> m;
    std::copy_n(matrix.data(), 6, m.begin());
    const py::ssize_t count = boxes.shape(0);
    py::array_t<float> moved({count, py::ssize_t{4}});
    py::array_t<bool> kept(count);
    for (py::ssize_t i = 0; i < count; ++i) {
        std::array<double, 4> box;
        std::copy_n(boxes.data(i, 0), 4, box.begin());
        kept.mutable_at(i) = move_box(m, height, width, least_visible, box);
        for (int k = 0; k < 4; ++k) moved.mutable_at(i, k) = static_cast<float>(box[k]);
    }
    return py::make_tuple(moved, kept);
}

py::dtype dtype_of(DType type) {
    switch (type) {
        case DType::uint8:
            return py::dtype::of<uint8_t>();
        case DType::int32:
            return py::dtype::of<int32_t>();
        case DType::int64:
            return py::dtype::of<int64_t>();
        case DType::float64:
            return py::dtype::of<double>();
        case DType::bfloat16:  // NumPy has no such type
            return py::dtype::of<uint16_t>();
        case DType::float32:
            break;
    }
    return py::dtype::of<float>();
}

// The feed's own memory; `owner` keeps it.
py::array view_of(const Array& array, const py::object& owner) {
    return py::array(dtype_of(array.type), array.shape, array.data, owner);
}

}  // namespace

BoundFeed::BoundFeed(std::vector<py::array> inputs, Some targets, Some weights, int64_t batch,
                     const Augmentation& change, const std::vector<std::string>& follows,
                     const std::vector<std::string>& weights_follow, double least_visible) {
    Dataset data;
    data.inputs = borrow_all(inputs, "x");
    data.targets = borrow_all(targets, "y");
    data.weights = borrow_all(weights, "sample_weight");
    feed_ = std::make_unique<Feed>(data, batch, change, follows_of(follows), follows_of(weights_follow), least_visible);
    inputs_ = std::move(inputs);
    targets_ = std::move(targets);
    weights_ = std::move(weights);
}

void BoundFeed::begin(const py::array& order, uint64_t epoch) {
    const Array rows = borrow(order, "order");
    if (rows.type != DType::int64) throw TypeError("order must be an array of int64");
    require(rows.shape.size() == 1, "order must be 1-D, got ", to_string(rows.shape));
    // The thread may have to finish a few rows; it sees no Python object.
    const WithoutGil released;
    feed_->begin(static_cast<const int64_t*>(rows.data), rows.shape[0], epoch);
}

void register_augmentation(py::module_& m) {
    whole_class<Augmentation>(m, "Augmentation")
        .def(py::init(&make_augmentation), py::arg("flip_horizontal"), py::arg("flip_vertical"), py::arg("rotation"),
             py::arg("shift"), py::arg("zoom"), py::arg("crop"), py::arg("brightness"), py::arg("contrast"),
             py::arg("noise"), py::arg("elastic"), py::arg("elastic_grid"), py::arg("fill_mode"), py::arg("fill_value"),
             py::arg("value_range"), py::arg("seed"))
        .def("check_boxes", [](const Augmentation& a) { (void)for_boxes(a); })
        .def("draw", &draw, py::arg("indices"), py::arg("epoch"), py::arg("height"), py::arg("width"), py::arg("uint8"))
        .def("images", &augment_images, py::arg("images"), py::arg("indices"), py::arg("epoch"),
             py::arg("matrices") = py::none())
        .def("masks", &augment_masks, py::arg("masks"), py::arg("indices"), py::arg("epoch"), py::arg("fill"));
    m.def("move_boxes", &move_boxes, py::arg("boxes"), py::arg("matrix"), py::arg("height"), py::arg("width"),
          py::arg("least_visible"));
    whole_class<BoundFeed>(m, "Feed")
        .def(py::init([](std::vector<py::array> inputs, BoundFeed::Some targets, BoundFeed::Some weights, int64_t batch,
                         const Augmentation& change, const std::vector<std::string>& follows,
                         const std::vector<std::string>& weights_follow, double visible) {
                 return std::make_unique<BoundFeed>(std::move(inputs), std::move(targets), std::move(weights), batch,
                                                    change, follows, weights_follow, visible);
             }),
             py::arg("inputs"), py::arg("targets"), py::arg("weights"), py::arg("batch"), py::arg("change"),
             py::arg("follows"), py::arg("weights_follow"), py::arg("least_visible") = 0.3)
        .def("begin", &BoundFeed::begin, py::arg("order"), py::arg("epoch"))
        .def("next", &BoundFeed::next, py::call_guard<WithoutGil>())
        .def("close", &BoundFeed::close, py::call_guard<WithoutGil>())
        .def_property_readonly("waited", &BoundFeed::waited)
        .def_property_readonly("buffers", [](const py::object& self) {
            const Dataset& buffers = self.cast<BoundFeed&>().buffers();
            const auto views = [&](const std::vector<Array>& arrays) {
                py::list list;
                for (const Array& array : arrays)
                    list.append(array.data ? py::object(view_of(array, self)) : py::none());
                return list;
            };
            return py::make_tuple(views(buffers.inputs), views(buffers.targets), views(buffers.weights));
        });
}

}  // namespace striate::bindings
