"""Random changes of training slices, on the device of the batch, each slice from its own random stream.

A change takes slices (N, C, H, W), their streams and a strength, and returns the slices changed; what a slice becomes depends on
nothing but the slice, its stream and the strength. Background, the voxels that are not above 0, stays what it was
under every change of intensity.
"""
