"""Benchmarks (`make bench`), healthy sessions, and the doctor's confusion matrix (`make scenarios`)."""
