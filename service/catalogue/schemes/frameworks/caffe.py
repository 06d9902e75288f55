"""Caffe (BVLC master): the fillers of caffe.proto, whose default everywhere is the constant 0.

Fans: count / shape[0] in, count / shape[1] out of the blob as it is stored, of 4 axes at most. An
inner product with `transpose` and a deconvolution are stored in, out, so theirs are swapped: leave
the layout out to swap them too.

Promises: "xavier" is LeCun's rule, uniform of variance 1 / fan_in; "msra" is Kaiming's for ReLU.

Source: https://github.com/BVLC/caffe/blob/master/include/caffe/filler.hpp
"""

from typing import Any

TITLE = "Caffe"
LAYOUTS = ("OI", "OIW", "OIHW")

NAMES: dict[str, dict[str, Any]] = {
    "caffe.constant": {"scheme": "constant", "value": 0.0},
    "caffe.uniform": {"scheme": "uniform", "low": 0.0, "high": 1.0},
    "caffe.gaussian": {"scheme": "normal", "std": 1.0},
    "caffe.positive_unitball": {"scheme": "positive_unitball"},
    "caffe.xavier": {"scheme": "caffe_xavier"},
    "caffe.msra": {"scheme": "msra"},
    "caffe.bilinear": {"scheme": "bilinear"},
}

UNMAPPED: dict[str, str] = {}

NOTES: dict[str, str] = {
    "caffe.gaussian": "with `sparse: s` of n outputs:"
    ' `{"scheme": "sparse", "sparsity": 1 - s / n, "std": 1.0, "count": "bernoulli"}`',
    "caffe.bilinear": "releases up to 1.0 have the centre of the variant `mxnet`, another one where"
    " the side leaves 2 or 3 when divided by 4",
}
