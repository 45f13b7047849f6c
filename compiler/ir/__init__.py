"""The intermediate representation: names resolved, every value typed, plates placed.

Everything after resolution (checks, emission, binding of data) reads only this. It is versioned,
round-trips through JSON, and its schema is published by `pplc schema`.
"""

from compiler.ir.expressions import (
    Apply,
    Constant,
    Expression,
    Filled,
    IndexAt,
    Initially,
    Invoke,
    Items,
    Lag,
    Range,
    Reference,
)
from compiler.ir.guides import CallablePart, Guide, InitValue, Part, Strategy
from compiler.ir.program import IR_VERSION, DataVariable, Derived, Dimension, Function, Program
from compiler.ir.statements import (
    Assignment,
    Block,
    Distribution,
    FactorTerm,
    PlateBlock,
    Recorded,
    Site,
    Statement,
)
from compiler.ir.types import Axis, Location, Node, Support, ValueType

__all__ = [
    "IR_VERSION",
    "Apply",
    "Assignment",
    "Axis",
    "Block",
    "CallablePart",
    "Constant",
    "DataVariable",
    "Derived",
    "Dimension",
    "Distribution",
    "Expression",
    "FactorTerm",
    "Filled",
    "Function",
    "Guide",
    "IndexAt",
    "InitValue",
    "Initially",
    "Invoke",
    "Items",
    "Lag",
    "Location",
    "Node",
    "Part",
    "PlateBlock",
    "Program",
    "Range",
    "Recorded",
    "Reference",
    "Site",
    "Statement",
    "Strategy",
    "Support",
    "ValueType",
]
