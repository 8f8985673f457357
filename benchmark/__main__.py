"""``python -m benchmark``."""

from andi_bench import main

if __name__ == "__main__":
    main()
