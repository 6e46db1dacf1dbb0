"""What a radiologist looked at: tables of fixations, and heat maps drawn from them."""
