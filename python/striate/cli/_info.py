"""`striate info`."""

from __future__ import annotations

import importlib.util

import click

import striate as st

_EXTRAS = {
    "cli": ("click", "tqdm", "jinja2", "PIL"),
    "plot": ("matplotlib",),
    "data": ("PIL", "pydicom"),
    "tensorboard": ("tensorboardX",),
    "onnx": ("onnx",),
    "torch": ("torch", "onnx", "onnxscript"),
    "keras": ("h5py",),
}


def version() -> str:
    """The package's version."""
    return str(st.__version__)


@click.command(short_help="Show version, instruction set, threads, extras.")
def info() -> None:
    """Show version, instruction set, threads, and which extras are installed."""
    st.show_config()
    click.echo("extras:")
    for extra, modules in _EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        state = f"missing: pip install 'striate[{extra}]'" if missing else "installed"
        click.echo(f"  {extra:12s} {state}")
