"""Bounds on everything that travels; both sides keep them."""

from dataeff_al.campaign.yaml_source import MAX_BYTES

MAX_MESSAGE_BYTES = 64 * 2**20
MAX_ARRAYS_BYTES = 32 * 2**20
MAX_EVENTS_BYTES = 2**20
MAX_EVENTS = 500
CHUNK_BYTES = 2**20
MAX_YAML_BYTES = MAX_BYTES
MAX_SETTINGS = 100
MAX_SETTING = 4096
MAX_REQUEST_ID = 100
MAX_CAMPAIGN_ID = 200
MAX_ATTEMPT_ID = 100
MAX_REASON = 500
MAX_PAGE = 200
DEFAULT_PAGE = 50
MAX_LEASES = 256
MAX_FORM = 2**20
MAX_WAIT_S = 60.0
MAX_AMOUNT = 100_000_000
MAX_WORK_S = 31_536_000.0
ERROR_KEY = "dataeff-error"
"""Trailing metadata that says in JSON which rule was broken."""
MAX_ERROR_BYTES = 6000
"""Many clients refuse more than 8 KiB of metadata."""
