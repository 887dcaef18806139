"""Pulumi components of a site (Site, Pod, ScalableUnit, Fabric, StorageTier) and the resources they make."""
