"""What serving takes at 10^4, 10^5 and 10^6 items."""
