"""``python -m occbench``, and what ``accelerate launch -m occbench`` starts."""

from occbench.cli import main

if __name__ == "__main__":
    main()
