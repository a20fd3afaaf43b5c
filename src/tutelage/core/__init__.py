"""Ground floor: what all rooms share. Imports nothing of ours."""
