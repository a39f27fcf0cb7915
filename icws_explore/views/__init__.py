"""How recordings, frames, verifications and findings are shown: HTML with a text twin, figures, cards and reports.

A view shows what the rooms below have computed. It does not change, verify or fetch anything. Everything that a peer
sent is put on one line, cut at a bounded length, and escaped.
"""
