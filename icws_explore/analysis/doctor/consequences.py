"""What follows from other things: the ids that a more specific cause on the same session absorbs."""

from __future__ import annotations

from typing import Final

# ws_open came to nothing.
OPENING: Final = ("OPEN_TIMEOUT", "ON_OPEN_TRAP", "GATEWAY_NOT_REGISTERED")
# No acks come, or nothing at all.
ACKS: Final = ("NO_ACKS", "ACK_INTERVAL_MISMATCH", "ACK_DEFAULTS_SKEW", "ACKS_WITHHELD")
# The canister misses a message, and says so with the next one.
UPWARD: Final = ("ON_MESSAGE_TRAP", "LOST_UP", "REORDERED_RELAY")
# The canister misses the keep-alives.
KEEP_ALIVES: Final = ("NO_KEEPALIVE", "KEEPALIVE_LATE")
# A replica refuses what the client sends.
REFUSED: Final = (*OPENING, *ACKS, *UPWARD, *KEEP_ALIVES)
