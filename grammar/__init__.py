"""The language's surface: syntax tree, parser and formatter, on Lark alone."""
