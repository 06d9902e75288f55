"""The pictures of the documentation: curves of the analysis, drawn as SVG."""
