"""The program; a folder that Pulumi runs, not a package to import."""
