"""Answers to options that other programs have and this one does not."""

from __future__ import annotations

import click

_CPU = "striate computes on CPUs; leave it out (--threads N sets the number of threads)"
_ANSWERS = {
    **dict.fromkeys(("gpu", "gpus", "cuda", "device", "devices", "accelerator", "use-gpu", "no-cuda"), _CPU),
    **dict.fromkeys(("lr", "lr0", "learning-rate-init", "rate"), "use --learning-rate"),
    **dict.fromkeys(("batch", "bs", "batchsize", "batches"), "use --batch-size"),
    **dict.fromkeys(("epoch", "num-epochs", "n-epochs", "max-epochs"), "use --epochs"),
    **dict.fromkeys(("imgsz", "img-size", "imagesize", "resize", "size", "img"), "use --image-size"),
    **dict.fromkeys(("weights", "pretrained", "pretrain", "checkpoint"), "use --init RUN or --init FILE"),
    **dict.fromkeys(("finetune", "fine-tune", "onnx", "base-model"), "use --from FILE or --from RUN"),
    **dict.fromkeys(("continue", "restart"), "use --resume RUN"),
    **dict.fromkeys(("output", "output-dir", "outdir", "save-dir", "project", "name", "logdir"), "use --out"),
    **dict.fromkeys(("data", "dataset", "input", "train-dir", "source"), "write the folder without an option's name"),
    **dict.fromkeys(("workers", "num-workers", "jobs", "nproc", "cpus", "cores"), "use --threads"),
    **dict.fromkeys(("network", "arch", "architecture", "backbone"), "use --model"),
    **dict.fromkeys(("val-split", "valid-split", "val", "validation"), "use --validation-split"),
    **dict.fromkeys(("augmentation", "augmentations", "aug", "transforms"), "use --augment"),
    **dict.fromkeys(("early-stopping", "earlystopping"), "use --patience"),
    **dict.fromkeys(("optim", "opt"), "use --optimizer"),
    **dict.fromkeys(("wd", "decay", "l2"), "use --weight-decay"),
    **dict.fromkeys(("conf", "confidence", "threshold", "conf-thres"), "use --score"),
    **dict.fromkeys(("classes", "labels", "names"), "use --class-names"),
    **dict.fromkeys(("random-state", "random-seed"), "use --seed"),
    **dict.fromkeys(("quiet", "silent", "q"), "use --verbose 0"),
    **dict.fromkeys(("amp", "fp16", "half", "mixed-precision"), "striate computes in 32-bit floats; leave it out"),
}


def answer(error: click.UsageError) -> str:
    """The message of a wrong use, with what to use in place of an option that the command does not have."""
    message = error.format_message()
    if not isinstance(error, click.NoSuchOption):
        return message
    name = error.option_name.lstrip("-").lower().replace("_", "-")
    known = _ANSWERS.get(name)
    options = set() if error.ctx is None else {text for one in error.ctx.command.params for text in one.opts}
    if known is None or (known.startswith("use --") and known.split()[1] not in options):
        return message
    return f"No such option: {error.option_name}: {known}"
