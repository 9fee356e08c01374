"""`/metrics` for Prometheus: what processes have counted, and how the shop is at the moment."""
