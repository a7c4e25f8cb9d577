"""Programs that hold the other end of a bench: each stands alone, and is run by its own interpreter."""
