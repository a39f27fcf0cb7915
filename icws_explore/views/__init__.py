"""How recordings, frames, verifications and findings are shown: HTML with a text twin, figures, cards and reports.

A view reads what the rooms below worked out and never changes, verifies or fetches anything itself. Whatever
a peer sent is untrusted: it is put on one line, cut at a bounded length, and escaped.
"""
