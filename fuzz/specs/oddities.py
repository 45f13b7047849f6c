"""Numbers, characters and names that programs tend to trip over."""

NUMBERS = (
    "0", "-1", "1e308", "1e-320", "NaN", "inf", "nan", "99999999999999999999999", "-0", "0.5",
    "1e400", "2", "3", "1_000", "9223372036854775807", "-9223372036854775808", "4294967296", "1e22",
    "0.1", "10**10", "10 ** 400", "0x10", "1.", ".5", "00", "1e", "2147483648", "(1 / 0)",
)  # fmt: skip

CHARACTERS = (
    "\x00", "\ufeff", "\u202e", "é", "𝛼", "\u2028", "\r", "\t", "\x0b", "\x0c", "\x85", '"', "'",
    "\\", "`", "{", "}", "[", "]", "(", ")", "#", "~", ";", ",", "@", "**", "..", "%s", "{0}", "$",
    "<script>", "\ud800", "²", "٣", "ﬁ", "İ", "\n\n", "=", ":", "%", "//", "|",
)  # fmt: skip

NAMES = (
    "lambda", "print", "model", "dist", "torch", "pyro", "None", "True", "self", "class", "import",
    "__class__", "_x", "a__b", "guide", "args", "kwargs", "init", "then", "prev", "over", "data",
    "dim", "plate", "pi", "math", "special", "AutoGuideList", "poutine", "constraints", "int",
    "float", "len", "exec", "e", "in", "return", "if", "nan", "inf", "index", "real", "x" * 300,
    "i0", "f", "obs", "value", "name", "type", "size", "torch_", "dist_", "concatenate", "to_plate",
)  # fmt: skip
