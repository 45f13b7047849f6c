"""Resolves calls of functions that the spec defines: one typed instance for each kind of call."""

from __future__ import annotations

from dataclasses import dataclass, field

from compiler.ir import Assignment, Expression, Function, Invoke, Location, ValueType
from compiler.ir.axes import Sizes
from compiler.resolve.expressions import Expressions
from compiler.resolve.scope import Scope
from grammar import nodes


@dataclass
class Functions:
    """The functions of a spec, and the instances of them that its calls have asked for.

    A function has no declared types: it is typed anew for every combination of argument types,
    and calls that agree share an instance.
    """

    sizes: Sizes
    definitions: dict[str, nodes.FunctionDef] = field(default_factory=dict)
    instances: list[Function] = field(default_factory=list)
    _by_types: dict[tuple[object, ...], Function | None] = field(default_factory=dict)
    _active: list[str] = field(default_factory=list)

    def define(self, definition: nodes.FunctionDef, scope: Scope) -> None:
        """Enter a function into the scope."""
        scope.define(definition.name, "function")
        self.definitions[definition.name.text] = definition

    def invoke(
        self,
        call: nodes.Call,
        arguments: tuple[Expression, ...],
        scope: Scope,
        *,
        imposed: int = 0,
    ) -> Invoke | None:
        """Return the typed call of a function; None where something is wrong, once told.

        Args:
            call: The call.
            arguments: Its arguments, resolved.
            scope: The names around it.
            imposed: How many parameters the function must have, whether it uses them or not.
        """
        name = call.function.text
        definition = self.definitions[name]
        if call.keywords or len(arguments) != len(definition.parameters):
            parameters = ", ".join(p.text for p in definition.parameters)
            scope.diagnostics.report(
                "PPL027",
                call.span,
                f"`{name}` takes {len(definition.parameters)} arguments without names, but "
                f"{len(arguments) + len(call.keywords)} are given"
                + (": t, z and what `ode` has behind the times" if imposed else ""),
                f"write `{name}({parameters})`",
                [(f"`{name}` is defined here", definition.name.span)],
            )
            return None
        if name in self._active:
            scope.diagnostics.report(
                "PPL046",
                call.span,
                f"`{name}` calls itself" + (" through others" if self._active[-1] != name else ""),
                "write it without recursion",
            )
            return None
        instance = self._instance(definition, tuple(a.type for a in arguments), scope, imposed)
        if instance is None:
            return None
        return Invoke(
            function=instance.name,
            arguments=arguments,
            type=instance.result.type.model_copy(
                update={"random": any(a.type.random for a in arguments)}
            ),
        )

    def _instance(
        self,
        definition: nodes.FunctionDef,
        types: tuple[ValueType, ...],
        scope: Scope,
        imposed: int,
    ) -> Function | None:
        name = definition.name.text
        # Supports do not change the emitted code, so calls that differ in them share an instance.
        plain = tuple(
            t.model_copy(update={"support": ValueType(element="real").support}) for t in types
        )
        key = (name, plain, tuple(scope.plates))
        if key not in self._by_types:
            self._active.append(name)
            self._by_types[key] = self._resolve(definition, types, scope, imposed)
            self._active.pop()
        return self._by_types[key]

    def _resolve(
        self,
        definition: nodes.FunctionDef,
        types: tuple[ValueType, ...],
        scope: Scope,
        imposed: int,
    ) -> Function | None:
        symbols = {
            name: symbol
            for name, symbol in scope.symbols.items()
            if symbol.kind in ("function", "dim")
        }
        inner = Scope(dict(symbols), scope.diagnostics, scope.plates)
        for parameter, value in zip(definition.parameters, types, strict=True):
            inner.symbols.pop(parameter.text, None)
            inner.define(parameter, "parameter", value)
        for parameter in definition.parameters[:imposed]:
            inner.symbols[parameter.text].used = True
        expressions = Expressions(self.sizes, self.invoke)
        body: list[Assignment] = []
        for statement in definition.body:
            resolved = expressions.resolve(statement.value, inner)
            if resolved is None:
                return None
            inner.define(statement.name, "local", resolved.type)
            body.append(
                Assignment(
                    name=statement.name.text,
                    value=resolved,
                    location=Location.of(statement.span),
                )
            )
        result = expressions.resolve(definition.result, inner)
        if result is None:
            return None
        _tell_unused(inner)
        taken = sum(f.spec_name == definition.name.text for f in self.instances)
        name = definition.name.text + (f"_{taken + 1}" if taken else "")
        while taken and (name in scope.symbols or name in scope.bound_later):
            name += "_"
        instance = Function(
            name=name,
            spec_name=definition.name.text,
            parameters=tuple(p.text for p in definition.parameters),
            types=types,
            body=tuple(body),
            result=result,
            location=Location.of(definition.span),
        )
        self.instances.append(instance)
        return instance


def _tell_unused(scope: Scope) -> None:
    for symbol in scope.symbols.values():
        if symbol.kind in ("parameter", "local") and not symbol.used:
            scope.diagnostics.report(
                "PPL015",
                symbol.span,
                f"`{symbol.name}` is never used",
                "take it away",
            )
