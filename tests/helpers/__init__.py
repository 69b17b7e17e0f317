"""Shared by all tests: naive twins, tables of cases, small data, and ways to run things."""
