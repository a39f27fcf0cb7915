"""A frame explained byte by byte: `annotate_frame` gives a tree of named fields whose leaves cover all bytes.

`layers` reads the CBOR layers of a frame by their `shapes` (which field is what), `tree_layer` the hash trees in it,
`candid_layer` the Candid messages. `cbor_scan` finds the place of every CBOR item. `meanings` explains values.
"""

from icws_explore.protocol.node import Node, one_a_range

from .layers import annotate_frame

__all__ = ["Node", "annotate_frame", "one_a_range"]
