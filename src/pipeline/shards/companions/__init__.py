"""What stands beside the image in a sample: description, masks, gaze map and text; written here, and read back."""
