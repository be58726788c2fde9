# One verb per chore; the checks on a server call the same verbs.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export OMP_WAIT_POLICY := PASSIVE

.PHONY: env run test chaos check format clean

env: .venv/ready

# torch goes first, exactly: a range would take a build with several GB of CUDA.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --no-deps -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --no-deps --no-build-isolation --editable .
	touch .venv/ready

run: env
	$(BIN)/dataeff-al run campaigns/vessel_stress.yaml --out runs/vessel-stress; code=$$?; [ $$code -eq 3 ] || exit $$code

test: env
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Campaigns killed everywhere, a thousand times and more. Finished cells are kept: run it again to go on.
chaos: env
	$(BIN)/python -m benchmarks chaos

check: env
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python protos/regenerate.py --check

format: env
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv runs dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
