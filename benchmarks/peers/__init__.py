"""Other solvers, each run by its own interpreter as a process: nothing of this project is imported beside them."""
