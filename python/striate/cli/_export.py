"""`striate export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import striate as st
from striate.cli._run import Run


@click.command(short_help="Write the network of a run as ONNX.")
@click.argument("run", type=click.Path())
@click.option("--onnx", "onnx_file", type=click.Path(), required=True, metavar="FILE", help="The ONNX file to write.")
@click.option("--channels-first", is_flag=True, help="Input as (N, C, H, W), as in PyTorch, instead of (N, H, W, C).")
@click.option("--overwrite", is_flag=True, help="Replace a file of that name.")
def export(run: str, onnx_file: str, channels_first: bool, overwrite: bool) -> None:
    """Write the network of RUN, a run folder or a .safetensors file, as an ONNX file."""
    path = Path(run)
    model: Any = Run(path).load_model() if path.is_dir() else st.load_model(path)
    layout = "channels_first" if channels_first else "channels_last"
    try:
        model.export(onnx_file, overwrite=overwrite, data_format=layout)
    except FileExistsError:
        raise ValueError(f"{onnx_file} already exists; give --overwrite, or choose another file with --onnx") from None
    click.echo(f"wrote {onnx_file}: {model.input_shape} -> {model.output_shape}, {layout}")
