"""What a program costs, counted on its jaxpr: floating-point operations, memory traffic, calls of the host.

XLA's own analysis counts the body of a loop once, however often it runs; here a `scan` counts as often as it
iterates. These are numbers of the program as it is written, the same for every back end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from imaginax.runtime.jaxpr import Equation, Jaxpr, inner, primitives
from imaginax.runtime.run_directory import RunError


class Costs(NamedTuple):
    """What one call of a program costs at most.

    Attributes:
        flops: two for each multiply-add of a product or convolution, one for each element of other arithmetic
            on floating-point numbers (transcendental functions too). A branch counts as its dearest; a loop
            that may stop before a fixed number of iterations counts as if it did not.
        bytes: that the operands and results of products, convolutions, factorisations, sorts, gathers and
            scatters have. The rest is left out, as if the compiler had fused it into its neighbours.
        open_loops: loops whose length depends on data alone; each counts as ONE iteration.
    """

    flops: float = 0.0
    bytes: float = 0.0
    open_loops: int = 0

    def __add__(self, other: Costs) -> Costs:  # pyright: ignore[reportIncompatibleMethodOverride]
        return Costs(self.flops + other.flops, self.bytes + other.bytes, self.open_loops + other.open_loops)

    def times(self, count: int) -> Costs:
        """Of `count` iterations of a loop with this body."""
        return Costs(self.flops * count, self.bytes * count, self.open_loops)


def count(function: Callable[..., PyTree], *arguments: Any) -> Costs:
    """The costs of `function(*arguments)`; only shapes and types of the arguments matter."""
    return count_jaxpr(jax.make_jaxpr(function)(*arguments).jaxpr)


def count_jaxpr(jaxpr: Jaxpr) -> Costs:
    """The costs of a traced program."""
    return sum((_equation(equation) for equation in jaxpr.eqns), Costs())


def check_host_calls(name: str, jaxpr: Jaxpr) -> None:
    """Refuses a traced program that talks to the host while it runs: on another machine nobody would answer.

    Raises:
        RunError: naming the program and the calls.
    """
    if calls := ", ".join(sorted(host_calls(jaxpr))):
        raise RunError(f"{name} calls the host ({calls}), so no other machine can run it: take the call out")


def host_calls(jaxpr: Jaxpr) -> set[str]:
    """Names of the operations with which a program talks to the host while it runs."""
    others = ("debug_print", "infeed", "outfeed")
    return {name for name in primitives(jaxpr) if "callback" in name or name in others}


# ---------------------------------------------------------------- equations

# No arithmetic: they move, select, draw or compare.
_FREE = frozenset(
    "bitcast_convert_type broadcast_in_dim clamp concatenate convert_element_type copy dynamic_slice"
    " dynamic_update_slice gather iota optimization_barrier pad pvary random_bits reshape rev"
    " select_n sharding_constraint slice sort split squeeze stack stop_gradient top_k"
    " transpose unstack".split()
)
_REDUCTIONS = ("reduce_", "arg", "cum")


def _equation(equation: Equation) -> Costs:
    name = equation.primitive.name
    if name == "scan":
        return count_jaxpr(equation.params["jaxpr"].jaxpr).times(equation.params["length"])
    if name == "while":
        return _while(equation)
    if name == "cond":
        branches = [count_jaxpr(branch.jaxpr) for branch in equation.params["branches"]]
        return max(branches, key=lambda costs: (costs.flops, costs.bytes))
    called = list(inner(equation))
    if called:
        return sum((count_jaxpr(jaxpr) for jaxpr in called), Costs())
    return Costs(_flops(equation), _bytes(equation))


def _while(equation: Equation) -> Costs:
    body = equation.params["body_jaxpr"].jaxpr
    costs = count_jaxpr(body) + count_jaxpr(equation.params["cond_jaxpr"].jaxpr)
    trips = _trips(equation)
    return costs._replace(open_loops=costs.open_loops + 1) if trips is None else costs.times(trips)


def _trips(equation: Equation) -> int | None:
    """The most iterations of a while loop that counts up, `counter < N and ...`; None for others.

    A counter whose start is not written in the program is taken to start at zero.
    """
    condition, body = equation.params["cond_jaxpr"].jaxpr, equation.params["body_jaxpr"].jaxpr
    made = {result: one for one in condition.eqns for result in one.outvars}
    first = equation.params["body_nconsts"]
    counters = condition.invars[equation.params["cond_nconsts"] :]
    for test in _conjuncts(condition.outvars[0], made):
        counter, limit = test.invars
        if test.primitive.name != "lt" or not _is_literal(limit) or counter not in counters:
            continue
        position = counters.index(counter)
        if _counts_up(body, body.invars[first + position], body.outvars[position]):
            start = equation.invars[equation.params["cond_nconsts"] + first + position]
            return max(int(limit.val) - (int(start.val) if _is_literal(start) else 0), 0)
    return None


def _conjuncts(variable: Any, made: dict[Any, Equation]) -> Iterator[Equation]:
    """The comparisons of which all have to hold."""
    equation = None if _is_literal(variable) else made.get(variable)
    if equation is not None and equation.primitive.name in ("and", "convert_element_type"):
        for part in equation.invars:
            yield from _conjuncts(part, made)
    elif equation is not None and len(equation.invars) == 2:
        yield equation


def _counts_up(body: Jaxpr, before: Any, after: Any) -> bool:
    """Whether `after` is `before + 1`."""
    for equation in body.eqns:
        if after in equation.outvars and equation.primitive.name == "add":
            variable, step = equation.invars
            return bool(variable is before and _is_literal(step) and step.val == 1)
    return False


def _is_literal(variable: Any) -> bool:
    return hasattr(variable, "val")


def _flops(equation: Equation) -> float:
    name, out = equation.primitive.name, equation.outvars[0].aval if equation.outvars else None
    if out is None or name in _FREE or not _is_float(out):
        return 0.0
    shapes = [variable.aval.shape for variable in equation.invars if hasattr(variable.aval, "shape")]
    if name == "dot_general":
        contracted = equation.params["dimension_numbers"][0][0]
        return 2.0 * out.size * math.prod(shapes[0][axis] for axis in contracted)
    if name == "conv_general_dilated":
        features = equation.params["dimension_numbers"].rhs_spec[0]
        return 2.0 * out.size * math.prod(shapes[1]) / shapes[1][features]
    if name in ("cholesky", "lu"):
        return math.prod(shapes[0]) * shapes[0][-1] * (1 / 3 if name == "cholesky" else 2 / 3)
    if name == "triangular_solve":
        return float(math.prod(shapes[1]) * shapes[0][-1])
    if name.startswith("scatter"):
        return 0.0 if name == "scatter" else float(math.prod(shapes[2]))
    if name.startswith(_REDUCTIONS):
        return float(math.prod(shapes[0]))
    return float(out.size)


_WHOLE = frozenset(
    "dot_general conv_general_dilated cholesky lu qr eigh svd triangular_solve sort top_k".split()
)


def _bytes(equation: Equation) -> float:
    name = equation.primitive.name
    operands = [_size(variable.aval) for variable in equation.invars]
    results = sum(_size(variable.aval) for variable in equation.outvars)
    if name in _WHOLE:
        return sum(operands) + results
    if name in ("gather", "dynamic_slice"):
        return 2.0 * results
    if name == "dynamic_update_slice":
        return 2.0 * operands[1]
    return 2.0 * operands[2] if name.startswith("scatter") else 0.0


def _is_float(aval: Any) -> bool:
    return hasattr(aval, "dtype") and jnp.issubdtype(aval.dtype, jnp.inexact)


def _size(aval: Any) -> float:
    known = hasattr(aval, "dtype") and not jnp.issubdtype(aval.dtype, jax.dtypes.extended)
    return float(aval.size * aval.dtype.itemsize) if known else 0.0
