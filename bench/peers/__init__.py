"""The engines that the benchmark compares; each is one module, loaded in its own process.

A module has ``PACKAGES``, whose versions the results name, and ``prepare(bench, batch, threads)``, which returns the
ways in which the engine can turn uint8 pictures (N, H, W, C) into probabilities (N, K), by name, each for batches of
exactly this size. The worker keeps the fastest way.
"""

ENGINES = ("cnnfast", "onnxruntime", "openvino", "mnn", "ncnn", "litert", "torch")
"""The modules of this package that are engines, ours first."""

INT8_ENGINES = ("cnnfast_int8", "onnxruntime_int8", "openvino_int8", "litert_int8")
"""Those that compute with eight-bit integers; ``FLOAT`` of each is the engine whose floats it is compared with."""
