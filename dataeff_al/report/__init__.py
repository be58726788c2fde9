"""The account of a run: figures and one self-contained HTML page, made from one plain data structure."""
