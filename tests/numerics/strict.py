"""An array namespace as strict as CuPy's: nothing of NumPy's gets in or out of it by accident.

A function that is not listed is not there. Arrays refuse to become NumPy's, and to meet them.
"""

import operator
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

# All of them are CuPy's too.
_FUNCTIONS = [
    "abs", "arange", "argsort", "bincount", "clip", "concatenate", "cumsum", "empty", "full",
    "maximum", "minimum", "nonzero", "ones", "partition", "searchsorted", "sort", "stack", "sum",
    "unique", "where", "zeros",
]  # fmt: skip
_TYPES = ["uint8", "uint16", "uint32", "uint64", "int32", "int64", "float16", "float32", "float64"]
_NUMBERS = (int, float, bool, np.generic)


class Strict:
    """An array on what is not the host.

    Args:
        on_host: What it would be there.
    """

    __array_ufunc__ = None  # NumPy's arrays leave operators to this one, which refuses them

    def __init__(self, on_host: Any) -> None:
        self.on_host = on_host

    def __array__(self, *_: object, **__: object) -> Any:
        raise TypeError("implicit conversion to a NumPy array is not allowed: use asnumpy")

    def __getattr__(self, name: str) -> Any:
        if name in {"shape", "size", "ndim", "dtype", "nbytes", "strides"}:
            return getattr(self.on_host, name)
        if name == "data":
            return SimpleNamespace(ptr=self.on_host.ctypes.data)
        if name == "T":
            return Strict(self.on_host.T)
        if name in {"astype", "view", "reshape", "copy", "sum", "cumsum", "ravel", "any", "all"}:
            return _called(getattr(self.on_host, name))
        if name == "tolist":
            return self.on_host.tolist
        raise AttributeError(f"{name} is not known to be CuPy's")

    def __len__(self) -> int:
        return len(self.on_host)

    def __iter__(self) -> Any:
        return (Strict(np.asarray(each)) for each in self.on_host)

    def __getitem__(self, at: Any) -> "Strict":
        return Strict(np.asarray(self.on_host[_index(at)]))

    def __setitem__(self, at: Any, value: Any) -> None:
        self.on_host[_index(at)] = _operand(value)

    def __int__(self) -> int:
        return int(self.on_host)

    def __float__(self) -> float:
        return float(self.on_host)

    def __bool__(self) -> bool:
        return bool(self.on_host)

    def __neg__(self) -> "Strict":
        return Strict(-self.on_host)

    def __invert__(self) -> "Strict":
        return Strict(~self.on_host)


def _forward(call: Callable[[Any, Any], Any]) -> Callable[[Strict, Any], Strict]:
    return lambda self, other: Strict(call(self.on_host, _operand(other)))


def _backward(call: Callable[[Any, Any], Any]) -> Callable[[Strict, Any], Strict]:
    return lambda self, other: Strict(call(_operand(other), self.on_host))


def _in_place(call: Callable[[Any, Any], Any]) -> Callable[[Strict, Any], Strict]:
    def change(self: Strict, other: Any) -> Strict:
        self.on_host = call(self.on_host, _operand(other))
        return self

    return change


for _name in (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
):
    setattr(Strict, f"__{_name}__", _forward(getattr(operator, f"__{_name}__")))
    setattr(Strict, f"__r{_name}__", _backward(getattr(operator, f"__{_name}__")))
    setattr(Strict, f"__i{_name}__", _in_place(getattr(operator, f"__i{_name}__")))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Strict, f"__{_name}__", _forward(getattr(operator, f"__{_name}__")))


def _operand(value: Any) -> Any:
    if isinstance(value, Strict):
        return value.on_host
    if isinstance(value, _NUMBERS):
        return value
    raise TypeError(f"unsupported type {type(value)}")


def _index(at: Any) -> Any:
    if isinstance(at, tuple):
        return tuple(_index(each) for each in at)
    if at is None or at is Ellipsis or isinstance(at, slice | int | np.integer):
        return at
    return _operand(at)


def _called(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        given = [_given(each) for each in arguments]
        result = function(*given, **{name: _given(value) for name, value in options.items()})
        if isinstance(result, tuple):
            return tuple(Strict(np.asarray(each)) for each in result)
        return Strict(np.asarray(result))

    return call


def _given(value: Any) -> Any:
    if isinstance(value, Strict):
        return value.on_host
    if isinstance(value, np.ndarray):
        raise TypeError("a NumPy array was given: asarray takes it over")
    return [_given(each) for each in value] if isinstance(value, list | tuple) else value


class _Namespace:
    """Functions by name."""


def namespace() -> Any:
    """Return it."""
    made: Any = _Namespace()
    for name in _FUNCTIONS:
        setattr(made, name, _called(getattr(np, name)))
    made.asarray = lambda value, dtype=None: Strict(
        np.array(value.on_host if isinstance(value, Strict) else value, dtype=dtype)
    )
    for name in _TYPES:
        setattr(made, name, getattr(np, name))
    made.asnumpy = lambda array: array.on_host.copy()
    return made
