"""Measures of a model against held-out renders; docs/evaluation.md defines every number."""
