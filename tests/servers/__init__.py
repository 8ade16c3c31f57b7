"""Servers for the tests: real HTTP on loopback, real encodings, strict about the rules."""
