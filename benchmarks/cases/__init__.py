"""Operands of the operator benchmark: each function makes {column: callable} for one row."""
