"""Ways into and out of the systems where the work is done."""
