# ruff: noqa: ARG001 (numba calls intrinsics and their generators with fixed argument lists)
"""A vector of eight doubles for numba: one lane for each of eight sections that are solved side by side.

All sections share one mesh topology, so every arithmetic step of assembly, elimination and substitution is the same for
all of them. Holding eight sections in the lanes of one vector uses the whole width of the processor with no change to
the algorithm. A lane's result never depends on what stands in the other lanes.

Arrays of lanes are flat float64 arrays; entry ``i`` occupies the eight doubles from ``8 * i``.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES = 8
"""Sections in one vector."""

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_CONTRACT = ("contract",)


class LanesType(types.Type):
    """The numba type of a vector of lanes."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes{LANES}")


LANES_TYPE = LanesType()


@register_model(LanesType)
class LanesModel(models.PrimitiveModel):
    """Lanes live in one vector register."""

    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _VECTOR)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    start = builder.mul(index, ir.Constant(index.type, LANES))
    return builder.bitcast(builder.gep(data, [start]), _VECTOR.as_pointer())


@intrinsic
def _load(typing_context: Any, array: Any, index: Any) -> Any:
    """Entry ``index`` of a flat array of lanes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_pointer(context, builder, signature.args[0], args[0], args[1]), align=8)

    return LANES_TYPE(array, types.intp), generate


@intrinsic
def _store(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Set entry ``index`` of a flat array of lanes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _pointer(context, builder, signature.args[0], args[0], args[1]), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, LANES_TYPE), generate


@intrinsic
def _stream(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Set entry ``index`` past the caches; the array must be aligned to a vector. For what is read much later."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        instruction = builder.store(args[2], pointer, align=8 * LANES)
        one = ir.Constant(ir.IntType(32), 1)
        instruction.set_metadata("nontemporal", builder.module.add_metadata([one]))
        return context.get_dummy_value()

    return types.void(array, types.intp, LANES_TYPE), generate


@intrinsic
def _splat(typing_context: Any, value: Any) -> Any:
    """The same number in every lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), args[0], ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), zeros)

    return LANES_TYPE(types.float64), generate


# To a type checker these are values of any type: it cannot know a numba intrinsic's calling form.
load: Any = _load
store: Any = _store
stream: Any = _stream
splat: Any = _splat


def _unary(name: str) -> Any:
    @intrinsic
    def function(typing_context: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            signature_ = ir.FunctionType(_VECTOR, [_VECTOR])
            return builder.call(cgutils.get_or_insert_function(builder.module, signature_, f"{name}.v{LANES}f64"), args)

        return LANES_TYPE(LANES_TYPE), generate

    return function


sqrt: Any = _unary("llvm.sqrt")
exp: Any = _unary("llvm.exp")
log: Any = _unary("llvm.log")


@intrinsic
def _least(typing_context: Any, a: Any, b: Any) -> Any:
    """The smaller of two, lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[0], args[1])

    return LANES_TYPE(LANES_TYPE, LANES_TYPE), generate


@intrinsic
def _greatest(typing_context: Any, a: Any, b: Any) -> Any:
    """The larger of two, lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[0], args[1])

    return LANES_TYPE(LANES_TYPE, LANES_TYPE), generate


least: Any = _least
greatest: Any = _greatest


def _binary(emit: Callable[[Any, Any, Any], Any]) -> Any:
    @intrinsic
    def function(typing_context: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return emit(builder, args[0], args[1])

        return LANES_TYPE(LANES_TYPE, LANES_TYPE), generate

    return function


_add = _binary(lambda builder, a, b: builder.fadd(a, b, flags=_CONTRACT))
_sub = _binary(lambda builder, a, b: builder.fsub(a, b, flags=_CONTRACT))
_mul = _binary(lambda builder, a, b: builder.fmul(a, b, flags=_CONTRACT))
_div = _binary(lambda builder, a, b: builder.fdiv(a, b))


def _register(symbol: Callable[[Any, Any], Any], function: Any) -> None:
    @overload(symbol)
    def implement(a, b):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 (numba compares signatures)
        if isinstance(a, LanesType) and isinstance(b, LanesType):
            return lambda a, b: function(a, b)
        if isinstance(a, LanesType) and isinstance(b, types.Float):
            return lambda a, b: function(a, splat(b))
        if isinstance(b, LanesType) and isinstance(a, types.Float):
            return lambda a, b: function(splat(a), b)
        return None


for _symbol, _function in ((operator.add, _add), (operator.sub, _sub), (operator.mul, _mul), (operator.truediv, _div)):
    _register(_symbol, _function)

__all__ = ["LANES", "LANES_TYPE", "exp", "greatest", "least", "load", "log", "splat", "sqrt", "store", "stream"]
