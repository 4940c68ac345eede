"""Feature maps or rois -> named outputs and losses."""
