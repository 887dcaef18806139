"""Pulumi components of a site (Site, Pod, ScalableUnit, Fabric, StorageTier) and the resources that make them."""
