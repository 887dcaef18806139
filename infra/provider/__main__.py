"""Start the plugin: Pulumi runs this folder with the engine's address as its argument."""

import sys
from pathlib import Path

# `pulumi install` installs the requirements, but not this project: its package lies in the checkout.
sys.path.append(str(Path(__file__).resolve().parents[2]))

from infra.provider.serving import main

if __name__ == "__main__":
    main()
