"""What a training will take: steps, memory, disk and time, computed from the data and rehearsed on a few batches."""
