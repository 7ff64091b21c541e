"""The application of the story: what it sends, imports, exports and counts, as jobs of plain RQ."""
