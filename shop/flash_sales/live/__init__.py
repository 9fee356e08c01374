"""Live stock: figures that are published after each commit, and streamed to who listens."""
