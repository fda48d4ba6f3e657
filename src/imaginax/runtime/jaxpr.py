"""What a traced program is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Jaxpr = Any  # jax.extend.core.Jaxpr; an annotation of its own would import what only tracing needs
Equation = Any

_OWN_JAXPR = ("reduce", "scatter", "sort")  # whose inner jaxpr combines two elements


def primitives(jaxpr: Jaxpr) -> set[str]:
    """Names of all operations in a program and in those that it calls."""
    names = {equation.primitive.name for equation in jaxpr.eqns}
    return names.union(*(primitives(called) for equation in jaxpr.eqns for called in inner(equation)))


def inner(equation: Equation) -> Iterator[Jaxpr]:
    """The programs that an equation calls."""
    if equation.primitive.name.startswith(_OWN_JAXPR):
        return
    if equation.primitive.name == "custom_linear_solve":
        yield equation.params["jaxprs"].solve.jaxpr  # the other three serve its derivative
        return
    for value in equation.params.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            jaxpr = getattr(part, "jaxpr", part)
            if hasattr(jaxpr, "eqns"):
                yield jaxpr
