"""Data: bundled data sets, readers of files, augmentation and splitting."""

from striate._rows import Rows, rows
from striate.data.augmentation import Augment, augment
from striate.data.caching import cache
from striate.data.coco import CocoDetection
from striate.data.dataset import ImageDataset
from striate.data.detection import DetectionDataset
from striate.data.digits import load_digits
from striate.data.directory import image_dataset_from_directory
from striate.data.idx import load_idx, read_idx, write_idx
from striate.data.image import read_image
from striate.data.labels import to_categorical
from striate.data.scenes import Scenes, digit_scenes
from striate.data.segmentation import SegmentationFolder
from striate.data.splitting import split
from striate.data.voc import VocDetection

__all__ = [
    "Augment",
    "CocoDetection",
    "DetectionDataset",
    "ImageDataset",
    "Rows",
    "Scenes",
    "SegmentationFolder",
    "VocDetection",
    "augment",
    "cache",
    "digit_scenes",
    "image_dataset_from_directory",
    "load_digits",
    "load_idx",
    "read_idx",
    "read_image",
    "rows",
    "split",
    "to_categorical",
    "write_idx",
]
