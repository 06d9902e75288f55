"""The safetensors file format: writes and reads headers, and reads a file's tensors."""

from service.container.donor import Donor, DonorFile, DonorTensor, donor_of, open_donor
from service.container.header import encode_header, read_header

__all__ = [
    "Donor",
    "DonorFile",
    "DonorTensor",
    "donor_of",
    "encode_header",
    "open_donor",
    "read_header",
]
