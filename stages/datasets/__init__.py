"""Raw datasets: one module per source, and what several read with; `registry` chooses among them."""
