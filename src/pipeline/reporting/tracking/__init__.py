"""Trackers: numbers of runs shown by TensorBoard, trackio or wandb, beside the workflow and unknown to training."""
