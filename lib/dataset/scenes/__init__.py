"""Drawing of the synthetic scenes: outlines, painting, backgrounds, and their arrangement."""
