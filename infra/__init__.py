"""gigasite: one declaration of an AI site, carried through Pulumi, Ansible and testinfra."""
