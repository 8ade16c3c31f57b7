"""The notebook: the extension, its magics, and the kernel's namespace as context.

May import IPython, and every room of the package above it.
"""
