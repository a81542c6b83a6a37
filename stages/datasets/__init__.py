"""Raw datasets: one module per source, and what is generated or composed; `reading` chooses among them."""
