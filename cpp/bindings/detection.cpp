#include "striate/detection.hpp"

#include "numpy.hpp"

namespace striate::bindings {
namespace {

template <class T>
using Rows = py::array_t<T, py::array::c_style>;

static_assert(sizeof(BoundingBox) == 4 * sizeof(double));

const BoundingBox* boxes_of(const Rows<double>& array, const char* what) {
    require(array.ndim() == 2 && array.shape(1) == 4, what, " must be boxes (M, 4), got ", to_string(shape_of(array)));
    return reinterpret_cast<const BoundingBox*>(array.data());
}

Rows<double> iou(const Rows<double>& a, const Rows<double>& b, const std::optional<Rows<bool>>& crowd) {
    const BoundingBox *first = boxes_of(a, "a"), *second = boxes_of(b, "b");
    require(!crowd || shape_of(*crowd) == Shape{b.shape(0)}, "crowd must have one value for each box of b");
    Rows<double> out({a.shape(0), b.shape(0)});
    const bool* marks = crowd ? crowd->data() : nullptr;
    double* values = out.mutable_data();
    // Only memory that the arguments keep alive is touched.
    const WithoutGil released;
    box_iou(first, a.shape(0), second, b.shape(0), marks, values, SignalCheck());
    return out;
}

Rows<int64_t> nms(const Rows<double>& boxes, const Rows<double>& scores, const Rows<int64_t>& labels,
                  double iou_threshold, std::optional<double> score_threshold, std::optional<int64_t> max_detections) {
    const BoundingBox* rows = boxes_of(boxes, "boxes");
    const Shape each{boxes.shape(0)};
    require(shape_of(scores) == each && shape_of(labels) == each, "scores and labels must have one value for each box");
    std::vector<int64_t> kept;
    {
        const double* values = scores.data();
        const int64_t* classes = labels.data();
        const WithoutGil released;
        kept = non_maximum_suppression(rows, values, classes, each[0], {iou_threshold, score_threshold, max_detections},
                                       SignalCheck());
    }
    return Rows<int64_t>(static_cast<py::ssize_t>(kept.size()), kept.data());
}

py::list decode(const py::array& output, const std::vector<int64_t>& strides, double score_threshold,
                double iou_threshold, int64_t max_detections) {
    const Array array = borrow(output, "output");
    std::vector<std::vector<Detection>> found;
    {
        const WithoutGil released;
        found = decode_detections(array, strides, {iou_threshold, score_threshold, max_detections}, SignalCheck());
    }
    py::list images;
    for (const std::vector<Detection>& image : found) {
        const auto count = static_cast<py::ssize_t>(image.size());
        Rows<float> boxes({count, py::ssize_t{4}}), scores(count);
        Rows<int64_t> labels(count);
        float *box = boxes.mutable_data(), *score = scores.mutable_data();
        int64_t* label = labels.mutable_data();
        for (const Detection& one : image) {
            for (const float side : {one.x1, one.y1, one.x2, one.y2}) *box++ = side;
            *score++ = one.score;
            *label++ = one.label;
        }
        images.append(py::make_tuple(boxes, labels, scores));
    }
    return images;
}

}  // namespace

void register_detection(py::module_& m) {
    m.def("iou", &iou, py::arg("a"), py::arg("b"), py::arg("crowd") = py::none());
    m.def("nms", &nms, py::arg("boxes"), py::arg("scores"), py::arg("labels"), py::arg("iou_threshold"),
          py::arg("score_threshold") = py::none(), py::arg("max_detections") = py::none());
    m.def("decode", &decode, py::arg("output"), py::arg("strides"), py::arg("score_threshold"),
          py::arg("iou_threshold"), py::arg("max_detections"));
}

}  // namespace striate::bindings
