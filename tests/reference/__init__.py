"""What every layer, loss, optimizer and schedule computes, in float64 NumPy: slow, short, from the definition.

Nothing here knows striate. Arrays are channels last, arguments and weights carry Keras's names.
"""
