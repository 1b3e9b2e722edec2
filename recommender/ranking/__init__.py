"""The one ranking, live and offline: features, linear score, list, reasons."""
