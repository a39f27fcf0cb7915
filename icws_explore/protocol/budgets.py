"""What untrusted files, peers and messages may cost: every limit on input, with its number.

A limit bounds bytes, items or seconds, so that hostile input costs a small multiple of its size. What is over a
limit is left out, refused or held back, and one line says so. docs/budgets.md explains each limit, and a test
compares the page with this module.

A file of n bytes costs at most ``MEMORY_FREE + MEMORY_PER_BYTE * n`` bytes of memory to read; for a packed file, n is
what it unpacks to. Limits on the inside of Candid messages are in candid/limits.py, those of the bytes that are
explained in analysis/annotate/limits.py.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# Files of every kind.
MEMORY_FREE: Final = 256 * MIB  # bytes of memory that reading any file may take
MEMORY_PER_BYTE: Final = 3  # further bytes of memory for each byte of the file
FILE_FRAMES: Final = 1_000_000  # frames read from one file
FILE_TEXT: Final = 8_192  # characters of a URL, a name or a reason in a file; longer ones are cut
FILE_NOTE: Final = 1_000  # characters of a note stored in a file; longer ones are cut
FILE_NOTES: Final = 200  # notes stored in a file that are read
FILE_PAGE_CALLS: Final = 1_000  # senders and canisters of a page's own calls

# .icws recordings.
RECORDING_LINE: Final = 48 * MIB  # bytes of a line; fits the largest message that any gateway accepts, as base64
RECORDING_LINES: Final = 2_000_000  # lines, including blank and unreadable ones
RECORDING_UNREADABLE: Final = 100_000  # unreadable lines after which reading stops
RECORDING_PARTS: Final = 100_000  # separators in a line; a line of `{}` would take thirty times its size in memory
RECORDING_UNPACKED: Final = 512 * MIB  # bytes of an unpacked file; gzip can unpack one byte to a thousand

# HAR files.
HAR_BODY: Final = 4 * MIB  # characters of the body of a request or an answer
HAR_SOCKETS: Final = 10_000  # WebSockets of one file
HAR_NESTING: Final = 1_000  # objects and arrays in each other
HAR_NAME: Final = 100  # characters of a member's name; longer ones are unknown here, and would make every path long

# Flow files of mitmproxy.
FLOW_SOCKETS: Final = 10_000  # WebSockets of one file
FLOW_BODY: Final = 8 * MIB  # bytes of an unpacked HTTP body
FLOW_UNPACKED: Final = 64 * MIB  # bytes of all unpacked bodies of one file; gzip can unpack one byte to a thousand
FLOW_HEADERS: Final = 1_000  # headers of a request or an answer that are looked at

# Packet captures.
PACKET_BLOCK: Final = 16 * MIB  # bytes of one packet's record
PACKET_INTERFACES: Final = 10_000  # network interfaces of one file
PACKET_CONNECTIONS: Final = 100_000  # TCP connections of one file
PACKET_BYTES: Final = 512 * MIB  # bytes in all messages of one file together
PACKET_FREE: Final = 64 * MIB  # bytes that compressed messages may unpack to in any file
PACKET_RATIO: Final = 16  # bytes of messages for each byte of the packets read so far
PACKET_HEADERS: Final = 2_048  # bytes before a segment's payload; nested headers would cost the square of the packet
TCP_PENDING: Final = 16 * MIB  # bytes of one direction that wait for an earlier segment
TCP_WAITING: Final = 2_000  # segments of one direction that wait for an earlier one

# Identities.
IDENTITY_FILE: Final = MIB  # bytes of an identity file; a delegation of Internet Identity has about 3 KB
IDENTITY_PEM: Final = 64 * KIB  # characters of a PEM text
IDENTITY_KEY: Final = 16 * KIB  # bytes of a public key in DER; a canister signature's has about 60, one of RSA some 600

# Candid.
DID_TEXT: Final = 256 * KIB  # characters of a .did text and of everything that it imports

# Messages.
CBOR_BYTES: Final = 16 * MIB  # bytes of a CBOR item; the frames of the real gateway are far smaller
CBOR_ITEMS: Final = 40_000  # data items and break bytes; the largest witness that hashtree accepts has fewer
CBOR_DEPTH: Final = 128  # items in each other, as in ic-certification; a witness among a million keys is about 45 deep
TREE_NODES: Final = 8_192  # nodes of a hash tree: a witness of 200 messages among a million
FILTER_TEXT: Final = 2_000  # characters of a filter expression

# What comes over a connection.
HTTP_HEAD: Final = 64 * KIB  # bytes of the head of an HTTP message
HTTP_ANSWER: Final = 8 * MIB  # bytes of a network's answer; the largest answer of a replica has about 3 MiB
HTTP_IDLE_S: Final = 75.0  # real seconds for the head of a request; agents keep idle connections for longer, and retry
HTTP_BODY_S: Final = 30.0  # real seconds for the body of a request
HTTP_SMALL_BODY: Final = 64 * KIB  # bytes of a body that are not counted in HTTP_BODIES; polls and calls are smaller
HTTP_BODIES: Final = 64 * MIB  # bytes of all large bodies of requests that are in progress at one server
MESSAGE_BYTES: Final = 32 * MIB  # bytes of a WebSocket message; fits a line of a recording
MESSAGE_PARTS: Final = 1_000_000  # frames of one message; empty frames are not bounded by the size
CLOSE_S: Final = 1.0  # real seconds for a peer to answer a close; a real gateway never answers

# The tap.
TAP_HEAD_S: Final = 10.0  # real seconds for the client's whole request
TAP_CONNECT_S: Final = 20.0  # real seconds for TCP, the proxy and TLS
TAP_HELD: Final = 64 * KIB  # bytes that a client may send before the gateway has answered
TAP_SESSION: Final = 256 * MIB  # bytes recorded of one session; after that only its end is recorded
TAP_NOTES: Final = 1_000  # notes of one recording
TAP_FAULT_EVERY_S: Final = 60.0  # seconds between two notes about faults of the same kind
TAP_FAULT_KINDS: Final = 100  # kinds of faults; some kinds name a page, so strangers could make up any number
LANE_FRAMES: Final = 256  # frames that are held in one direction of one session
LANE_BYTES: Final = 16 * MIB  # bytes of payloads that are held in one direction of one session
LANES_BYTES: Final = 128 * MIB  # bytes of payloads that are held in all sessions of a tap or lab
TERMINAL_FRAMES: Final = 10_000  # frames and notes that a slow terminal may be behind
TERMINAL_BYTES: Final = 64 * MIB  # bytes of the payloads that a slow terminal may be behind

# The lab.
LAB_FRAME: Final = 16 * MIB  # bytes of the longest message of a client
LAB_UNSENT: Final = 4 * MIB  # bytes that wait for a client that does not read
LAB_UNRELAYED: Final = 4 * MIB  # bytes of a client's messages that wait for the canister
LAB_REQUEST: Final = 5 * MIB  # bytes of a request; the replica's max_request_size_bytes
LAB_LOG_EVENTS: Final = 100_000  # events of the log, about an hour of a busy lab; then the oldest are dropped
LAB_LOG_BYTES: Final = 64 * MIB  # bytes of all events of the log; then the oldest are dropped
LAB_SEEN: Final = 50_000  # messages that were seen at gateways; then the oldest are dropped
LAB_SEEN_BYTES: Final = 64 * MIB  # bytes of all messages that were seen at gateways; then the oldest are dropped
LAB_ANSWERS: Final = 64 * MIB  # bytes of all kept answers of a replica
