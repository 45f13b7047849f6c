"""The version of pplc."""

VERSION = "0.1.0"
