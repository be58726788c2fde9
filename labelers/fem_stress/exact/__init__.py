"""Exact solutions by which the solver is judged: nothing here knows a finite element."""
