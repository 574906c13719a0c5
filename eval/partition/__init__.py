"""Where to cut: CumPT and beyond, promises, exports."""
