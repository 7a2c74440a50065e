"""What a page shows of one recording, part by part."""
