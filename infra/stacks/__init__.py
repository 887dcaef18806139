"""Operations on stacks, on the embedded engine or on the Pulumi CLI."""
