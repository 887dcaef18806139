"""Stand-ins: virtual machines with BMC emulators that take the place of a site's machines."""
