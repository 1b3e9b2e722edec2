"""What may be shown, asked for in an expression over declared fields of items."""
