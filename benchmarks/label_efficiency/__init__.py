"""How many labels methods need: campaigns over paired seeds, and the tables that separate who saved what."""
