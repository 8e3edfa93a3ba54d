"""Banks of occluders: RGBA cut-outs with names and hashes, and the code that draws or cuts them."""
