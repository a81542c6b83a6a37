"""Templates filled with class and part names, and random words as their control."""
