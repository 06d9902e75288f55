"""The safetensors file format: headers written and read, tensors of a file read."""
