"""The Pulumi program: `pulumi up -s SITE` or `-s SITE.POD`.

Pulumi runs this file as `__main__` with this folder at the head of
`sys.path`, so imports name `infra.…` in full.
"""

import sys
from pathlib import Path

import pulumi

# `pulumi install` installs the requirements, but not this project: its package lies in the checkout.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from infra.components.program import declare
from infra.errors import UserError

try:
    declare(pulumi.get_stack())
except UserError as error:
    # Pulumi prints a RunError without a traceback.
    raise pulumi.RunError(str(error)) from None
