"""The board: pages that show what goes on in a folder of runs, while it goes on; it reads, and never writes."""
